"""Configs as the command line composes them, for tests."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

import feedrun
from feedrun.run.config import RUN_KEYS, Request
from feedrun.run.config import request as typed

CONFIGS = Path(feedrun.__file__).parent.parent / "configs"
EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))


@cache
def _whole(words: tuple[str, ...]) -> Any:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("config", list(words), return_hydra_config=True)


def _plain(*words: str) -> dict[str, Any]:
    whole = OmegaConf.masked_copy(_whole(words), [k for k in _whole(words) if k != "hydra"])
    plain: Any = OmegaConf.to_container(whole, resolve=True, throw_on_missing=True)
    return plain


def composed(name: str, *words: str, scale: str = "laptop", seed: int = 0) -> dict[str, Any]:
    """The plain config of `feedrun experiment=name scale=... seed=... words...`."""
    return _plain(f"experiment={name}", f"scale={scale}", f"seed={seed}", *words)


def request(name: str, *words: str, scale: str = "laptop", seed: int = 0, **given: Any) -> Request:
    """The typed request of that command; `given` replaces whole entries (outputs=..., steps=3)."""
    plain = composed(name, *words, scale=scale, seed=seed) | given
    return typed(plain, name=name, overrides=list(words), sweep=None)


def config(name: str, *words: str, scale: str = "laptop", **given: Any) -> Any:
    """The experiment's own typed config of that command."""
    return request(name, *words, scale=scale, **given).cfg


def own(name: str, *words: str, scale: str = "laptop") -> dict[str, Any]:
    """The experiment's own config of that command, plain and unchecked."""
    plain = composed(name, *words, scale=scale)
    return {key: value for key, value in plain.items() if key not in RUN_KEYS}


def swept(sweep: str) -> Iterator[Request]:
    """The requests of `feedrun sweep=...`, one a run. Its lists are of whole entries."""
    whole, plain = _whole((f"sweep={sweep}",)), _plain(f"sweep={sweep}")
    name = whole.hydra.runtime.choices.experiment
    words = [f"{key}={value}" for key, value in whole.hydra.sweeper.params.items()]
    parse = OverridesParser.create().parse_overrides
    (points,) = BasicSweeper.split_arguments(parse(words), None)
    for point in points:
        given = {override.key_or_group: override.value() for override in parse(point)}
        yield typed(plain | given, name=name, overrides=point, sweep=sweep)
