"""From the plain dict that Hydra composed to typed settings and a typed experiment config."""

import hashlib
import json
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from feedrun.errors import BadInput, nearest
from feedrun.experiment import Config, Experiment

Scale = Literal["smoke", "laptop", "gpu", "paper"]


def _meeting(where: Any) -> Any:
    port = re.fullmatch(r"[^\s:/]+:(\d{1,5})", str(where))
    if where in (False, "auto") or (port and 0 < int(port[1]) < 2**16):
        return where
    raise ValueError("should be false, auto or HOST:PORT")


class Process(Config):
    """How jax is started (see feedrun.runtime.setup)."""

    cache: bool
    devices: Literal["auto"] | Annotated[int, Field(gt=0, le=1024)]
    malloc: bool
    precision: Literal["highest", "high", "default"]
    distributed: Annotated[bool | str, AfterValidator(_meeting)]


class About(Config):
    """What the feed shows of an experiment."""

    paper: str
    source: str
    question: str
    command: str
    minutes: dict[str, float | None]
    expect: str


class Table(Config):
    """What a named sweep is to be shown as: see configs/sweep/*.yaml.

    rows: config keys, one row for each combination of their values; repeats: the key over which
    means and intervals are taken; show: summary metrics, one column each.
    """

    title: str
    rows: list[str]
    repeats: str
    show: list[str]


class Settings(BaseModel):
    """The keys that every run has beside its experiment's own; see configs/config.yaml."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    target: str = Field(alias="_target_")
    formerly: str | None = (
        None  # an experiment that moved: its first `_target_`, see Request.target
    )
    about: About
    scale: Scale
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    wandb: Literal["offline", "online", "disabled"]
    force: bool
    quiet: bool
    outputs: str
    data_folder: str
    fetch: bool
    checkpoint_seconds: Annotated[float, Field(ge=0)]
    process: Process
    table: Table | None = None


RUN_KEYS = {field.alias or name for name, field in Settings.model_fields.items()}


class RunSpec(NamedTuple):
    """One run that somebody asked for, as plain data: it can be sent to another process or host.

    composed: its whole config; name: its experiment; words: the overrides that it was asked with;
    sweep: the sweep that it belongs to; id: its config id, once somebody has worked that out.
    """

    composed: dict[str, Any]
    name: str
    words: list[str]
    sweep: str | None = None
    id: str = ""


class Request(NamedTuple):
    """A RunSpec that was checked: what to run, typed, and where it came from."""

    name: str
    experiment: Experiment
    settings: Settings
    cfg: Config
    overrides: list[str]
    sweep: str | None

    @property
    def config_id(self) -> str:
        """Twelve hex digits of a hash over all that determines the result.

        Target, scale, seed and every config key that is not marked `Elsewhere`; sinks, folders
        and process settings are left out. A new key is a new experiment: it changes the id.
        """
        what = [self.target, self.settings.scale, self.settings.seed, self.config]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """Where the record of this run lives."""
        return Path(self.settings.outputs) / self.name / self.config_id

    @property
    def target(self) -> str:
        """The name that records know the experiment by: its first `_target_`, wherever it moved."""
        return self.settings.formerly or self.settings.target

    @property
    def config(self) -> dict[str, Any]:
        """The experiment's config as plain JSON, without what is marked `Elsewhere`."""
        return self.cfg.model_dump(mode="json")


def settings(composed: Mapping[str, Any], name: str) -> Settings:
    """Validate the keys that every run has. Raises BadInput."""
    return validated(
        Settings, {k: composed[k] for k in RUN_KEYS if k in composed}, f"experiment {name}"
    )


def request(spec: RunSpec) -> Request:
    """Validate a composed config and resolve its `_target_`. Raises BadInput."""
    checked = settings(spec.composed, spec.name)
    experiment = resolve(checked.target)
    own = {key: value for key, value in spec.composed.items() if key not in RUN_KEYS}
    cfg = validated(experiment.config, own, spec.name)
    return Request(spec.name, experiment, checked, cfg, spec.words, spec.sweep)


def resolve(target: str) -> Experiment:
    """Import what `_target_` names. Raises BadInput where there is no Experiment of that name."""
    try:
        found = pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"_target_ {target}: {error}") from error
    if not isinstance(found, Experiment):
        raise BadInput(f"_target_ {target} is a {type(found).__name__}, not an Experiment")
    return found


def validated(model: Any, values: Mapping[str, Any], name: str) -> Any:
    """The values as a `model`. Raises BadInput, which names whose they are where one is missing."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_line(model, fault, name) for fault in error.errors()[:3]]
        more = len(error.errors()) - len(lines)
        raise BadInput("; ".join(lines) + (f"; and {more} more" if more else "")) from error


def _line(model: Any, fault: Any, name: str) -> str:
    """One pydantic fault in words: where, what is wrong, what was given."""
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{name} lacks the key {path} (its yaml must be complete)"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {path}{nearest(path, field_paths(model))}"
    message = fault["msg"].removeprefix("Value error, ")
    if not path:  # several keys do not fit together: the message names them
        return message
    own = fault["type"] == "value_error" and isinstance(fault["input"], Mapping)  # so within a part
    return f"{path}: {message[0].lower()}{message[1:]}" + (
        "" if own else f", got {fault['input']!r}"
    )


def field_paths(model: Any, prefix: str = "") -> list[str]:
    """Dotted names of all keys of a pydantic model."""
    paths = []
    for key, field in model.model_fields.items():
        paths.append(prefix + key)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            paths += field_paths(field.annotation, f"{prefix}{key}.")
    return paths
