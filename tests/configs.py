"""Configs as the command line composes them, for tests: `composed`, `request`, `config`."""

from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import feedrun
from feedrun import config as configs
from feedrun.config import RUN_KEYS, Request

CONFIGS = Path(feedrun.__file__).parent.parent / "configs"
EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))


@cache
def _plain(words: tuple[str, ...]) -> Any:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("config", list(words))


def composed(name: str, *words: str, scale: str = "laptop", seed: int = 0) -> dict[str, Any]:
    """The plain config of `feedrun experiment=name scale=... seed=... words...`."""
    whole = _plain((f"experiment={name}", f"scale={scale}", f"seed={seed}", *words))
    plain: Any = OmegaConf.to_container(whole, resolve=True, throw_on_missing=True)
    return plain


def request(name: str, *words: str, scale: str = "laptop", seed: int = 0, **given: Any) -> Request:
    """The typed request of that command; `given` replaces whole entries (outputs=..., steps=3)."""
    plain = composed(name, *words, scale=scale, seed=seed) | given
    return configs.request(plain, name=name, overrides=list(words), sweep=None)


def config(name: str, *words: str, scale: str = "laptop", **given: Any) -> Any:
    """The experiment's own typed config of that command."""
    return request(name, *words, scale=scale, **given).cfg


def own(name: str, *words: str, scale: str = "laptop") -> dict[str, Any]:
    """The experiment's own config of that command, plain and unchecked."""
    plain = composed(name, *words, scale=scale)
    return {key: value for key, value in plain.items() if key not in RUN_KEYS}
