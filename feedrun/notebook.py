"""The Python door: read records into pandas, and run an experiment, from a notebook.

import feedrun
records = feedrun.load("outputs/particles_clustering")
feedrun.frame(records)              one row a run
feedrun.curves(records)             one row a logged step
feedrun.run("particles_clustering", scale="smoke", seed=1, structure={"steps": 100})
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedrun.analysis import groups
from feedrun.records import store
from feedrun.records.find import gather
from feedrun.records.store import Record

if TYPE_CHECKING:
    import pandas as pd

Place = str | Path


def load(paths: Place | Iterable[Place]) -> list[Record]:
    """All records under one path or several, as `feedrun report` finds them, oldest first.

    What is wrong there is a warning; ValueError where nothing could be read.
    """
    places = [paths] if isinstance(paths, str | Path) else list(paths)
    gathered = gather([Path(place) for place in places])
    if not gathered.records:
        raise ValueError("; ".join(gathered.faults) or "no records there yet")
    for fault in gathered.faults:
        warnings.warn(fault, stacklevel=2)
    return gathered.records


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row a run, indexed by its id: experiment, scale, seed, state, config, summary, the rest.

    Config keys are dotted; a metric over repeats is their mean. A config key that is called like
    a metric or like one of the other columns is prefixed with "config.".
    """
    pandas = _pandas()
    rows = []
    for record in records:
        about = {key: record.run[key] for key in ("experiment", "scale", "seed")}
        numbers = {name: groups.run_value(record, name) for name in record.summary}
        end = {"seconds": record.seconds, "started": record.run["started"]}
        end |= {"failure": record.error, "folder": str(record.folder)}
        taken = {*about, "state", *numbers, *end}
        config = store.flat(record.run["config"])
        own = {f"config.{k}" if k in taken else k: v for k, v in config.items()}
        rows.append({**about, "state": record.state, **own, **numbers, **end})
    index = pandas.Index([record.run["id"] for record in records], name="id")
    return pandas.DataFrame(rows, index=index)


def curves(records: Sequence[Record]) -> "pd.DataFrame":
    """One row a logged row: id, seed, scope, step, time and its metrics (means over repeats)."""
    pandas = _pandas()
    rows = []
    for record in records:
        about = {"id": record.run["id"], "seed": record.run["seed"]}
        for row in store.read_rows(record.folder / "metrics.jsonl"):
            axes = {"scope": row.get("scope", ""), "step": row["step"], "time": row["time"]}
            metrics = {k: groups.middle(v) for k, v in row.items() if k not in axes}
            rows.append({**about, **axes, **metrics})
    return pandas.DataFrame(rows, columns=None if rows else ["id", "seed", "scope", "step", "time"])


def run(
    experiment: str,
    *,
    scale: str = "laptop",
    seed: int = 0,
    outputs: Place = "outputs",
    config_dir: Place | None = None,
    wandb: str = "disabled",
    quiet: bool = False,
    **overrides: Any,
) -> Record:
    """Run an experiment as the command line does, and return its record.

    Settings inside others are nested: `structure={"steps": 100}` is structure.steps=100. A
    finished record of the same config is returned at once, an interrupted run is resumed.
    Raises BadInput for what the user can mend, Failed where the experiment itself raised.
    """
    given = {"outputs": str(outputs), "wandb": wandb, "quiet": quiet, **overrides}
    composed, words = _composed(experiment, scale, seed, config_dir, store.flat(given))
    from rich.console import Console

    from feedrun.cli.progress import progress
    from feedrun.runner import attempt
    from feedrun.runner.config import RunSpec

    aside = Console(stderr=True)

    def say(line: str) -> None:
        aside.print(line, style="dim", highlight=False, soft_wrap=True)

    with progress(aside, quiet=quiet) as show:
        spec = RunSpec(composed, experiment, words)
        (outcome,) = attempt.run([spec], say=say, show=show, hello=not quiet)
    return outcome.record


def _composed(
    experiment: str, scale: str, seed: int, config_dir: Place | None, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The plain config and the words that the command line would have been given for it."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from feedrun.cli.errors import hydra_line, names
    from feedrun.cli.main import config_folder
    from feedrun.errors import BadInput

    own = [] if config_dir is None else [Path(config_dir).resolve()]
    folders = [config_folder(), *own]
    chosen = [f"experiment={experiment}", f"scale={scale}", f"seed={seed}"]
    search = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in own)}]"]
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
            cfg = compose("config", [*chosen, *search])
        there = ["laptop", *names(folders, f"scale/{experiment}")]
        if scale not in there:
            raise BadInput(
                f"experiment {experiment} has no scale {scale}; it has {', '.join(there)}"
            )
        for key, value in given.items():
            _set(cfg, key, value)
        plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise BadInput(hydra_line(error, chosen, folders)) from error
    words = [f"{key}={groups.text(value)}" for key, value in given.items()]
    return plain, [*chosen, *words]


def _set(cfg: Any, key: str, value: Any) -> None:
    from omegaconf import OmegaConf

    from feedrun.errors import BadInput, nearest

    known = store.flat(OmegaConf.to_container(cfg))  # pyright: ignore[reportArgumentType]
    if key not in known:
        raise BadInput(f"unknown key {key}{nearest(key, known)}")
    OmegaConf.update(cfg, key, value)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError("pandas is not installed: pip install 'feedrun[notebook]'") from error
    return pandas
