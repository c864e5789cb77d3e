"""Configs as the command line composes them, for tests."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

import feedrun
from feedrun.runner import config as configs
from feedrun.runner.config import RUN_KEYS, Request, RunSpec

CONFIGS = Path(feedrun.__file__).parent.parent / "configs"
EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))


@cache
def _whole(*words: str) -> Any:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("config", list(words), return_hydra_config=True)


def _plain(*words: str) -> dict[str, Any]:
    whole = _whole(*words)
    ours = OmegaConf.masked_copy(whole, [key for key in whole if key != "hydra"])
    plain: Any = OmegaConf.to_container(ours, resolve=True, throw_on_missing=True)
    return plain


def merged(whole: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """A nested mapping with what `part` changes in it."""
    return {**whole} | {
        key: merged(whole.get(key, {}), value) if isinstance(value, Mapping) else value
        for key, value in part.items()
    }


def composed(name: str, scale: str = "laptop", **changes: Any) -> dict[str, Any]:
    """The plain config of `feedrun experiment=name scale=...`, with changes merged into it."""
    return merged(_plain(f"experiment={name}", f"scale={scale}"), changes)


def request(name: str, scale: str = "laptop", **changes: Any) -> Request:
    """The typed request of that command. Raises BadInput."""
    return configs.request(RunSpec(composed(name, scale, **changes), name, []))


def own(name: str, scale: str = "laptop", **changes: Any) -> dict[str, Any]:
    """The experiment's own part of that config, plain and unchecked."""
    plain = composed(name, scale, **changes)
    return {key: value for key, value in plain.items() if key not in RUN_KEYS}


def config(name: str, scale: str = "laptop", **changes: Any) -> Any:
    """The experiment's own part, typed. Raises ValidationError."""
    experiment = configs.resolve(composed(name)["_target_"])
    return experiment.config.model_validate(own(name, scale, **changes))


def swept(sweep: str, scale: str = "laptop") -> Iterator[Request]:
    """The requests of `feedrun sweep=... scale=...`, one a run. Its lists are of whole entries."""
    words = (f"sweep={sweep}", f"scale={scale}")
    whole, plain = _whole(*words), _plain(*words)
    name, parse = whole.hydra.runtime.choices.experiment, OverridesParser.create().parse_overrides
    lists = [f"{key}={value}" for key, value in whole.hydra.sweeper.params.items()]
    (points,) = BasicSweeper.split_arguments(parse(lists), None)
    for point in points:
        given = {override.key_or_group: override.value() for override in parse(point)}
        yield configs.request(RunSpec(plain | given, name, point, sweep))
