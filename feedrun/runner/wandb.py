"""Where a record is mirrored, beside the local folder: Weights & Biases, and nothing else yet."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from feedrun.errors import first_line

Row = dict[str, Any]
Say = Callable[[str], None]
Mode = Literal["offline", "online"]

INIT_SECONDS = 5.0
FINISH_SECONDS = 60.0


class Sink(NamedTuple):
    """A mirror of one record.

    start(run, rows, folder): the content of run.json, the rows that a resumed run already has and
                              the record's folder.
    log(row):                 one more row of metrics.jsonl.
    finish(folder):           the run has ended; summary.json is there if it ended well.
    """

    start: Callable[[dict[str, Any], list[Row], Path], None]
    log: Callable[[Row], None]
    finish: Callable[[Path], None]


def guarded(sink: Sink, say: Say) -> Sink:
    """The same sink, dropped with one line at its first error: the local record loses nothing."""
    dropped = False

    def safely(call: Callable[..., None]) -> Callable[..., None]:
        def safe(*args: Any) -> None:
            nonlocal dropped
            if dropped:
                return
            # A mirror may fail in any way at all (network, disk, a missing package).
            try:
                call(*args)
            except Exception as error:
                dropped = True
                say(f"W&B is left out from here on ({first_line(error)}); the record is complete")

        return safe

    return Sink(*map(safely, sink))


def wandb_sink(mode: Mode, say: Say) -> Sink:
    """A W&B run beside the record, its id the config id; `offline` needs no account.

    `online` becomes offline, with one line to `say`, where there is no API key or no answer
    within seconds. wandb is imported by `start`, so a missing package is an ImportError then.
    """
    mirror = _Wandb(mode, say)
    return Sink(mirror.start, mirror.log, mirror.finish)


class _Wandb:
    """What is open while a run is mirrored: the W&B run, how many rows it has, what it knows.

    (With memory, as the journal: it stands for the outside world.)
    """

    def __init__(self, mode: Mode, say: Say):
        self.mode: Mode = mode
        self.say = say
        self.run: Any = None
        self.logged = 0
        self.defined: set[str] = set()

    def start(self, run: dict[str, Any], rows: list[Row], folder: Path) -> None:
        """Open the W&B run and log the rows that there are, so that it is complete by itself."""
        # Without rows a run with this id starts over, and what an earlier one logged is replaced.
        open_run = partial(_init, run, folder, resume="allow" if rows else None)
        self.run = _open(open_run, folder, self.mode, self.say)
        for row in rows:
            self.log(row)

    def log(self, row: Row) -> None:
        """Log one row at its index; its x axis on the page is the step of its own scope."""
        points, axis = _points(row)
        for name in points.keys() - self.defined - {axis}:
            self.run.define_metric(name, step_metric=axis)
            self.defined.add(name)
        self.run.log(points, step=self.logged)
        self.logged += 1

    def finish(self, folder: Path) -> None:
        """Add summary, verdicts and figures, and close the run: exit code 1 without a summary."""
        if self.run is None:
            return
        run, self.run = self.run, None
        ended = (folder / "summary.json").exists()
        if ended:
            run.summary.update(_summary(folder))
            if media := dict(_figures(folder / "figures")):
                run.log(media, step=self.logged)
        run.finish(exit_code=0 if ended else 1)


def _open(open_run: Callable[[Mode], Any], folder: Path, mode: Mode, say: Say) -> Any:
    """The W&B run that `open_run(mode)` gives: online if asked for and possible, else offline."""
    import wandb

    _quieten(mode)
    if mode == "offline":
        return open_run(mode)
    before = set(folder.glob("wandb/run-*"))
    try:
        if wandb.login(prompt=False, verify=False):
            return open_run(mode)
        reason = "no API key: set WANDB_API_KEY or run wandb login"
    except Exception as error:  # whatever is wrong with the network, offline still works
        reason = first_line(error)
        wandb.teardown()  # or the run's id stays in use
        for path in set(folder.glob("wandb/run-*")) - before:
            shutil.rmtree(path, ignore_errors=True)
    say(f"W&B is offline ({reason}); later: wandb sync {folder}/wandb/offline-run-*")
    _quieten("offline")
    return open_run("offline")


def _quieten(mode: Mode) -> None:
    """Tell wandb as a whole what a run's settings tell only the run.

    Or it prints that it has found an API key, and an offline run gets a telemetry client.
    """
    import wandb

    wandb.setup(settings=wandb.Settings(silent=True, mode=mode))


def _init(run: Mapping[str, Any], folder: Path, mode: Mode, *, resume: Any) -> Any:
    """wandb.init for one record: id and name from the record, nothing printed or collected."""
    import wandb

    name = run["experiment"]
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT") or "feedrun",
        id=run["id"],
        name=f"{name} {run['scale']} seed {run['seed']}",
        group=run.get("sweep") or name,
        job_type=name,
        tags=[tag for tag in (run.get("paper"), run["scale"]) if tag],
        config={**run["config"], "seed": run["seed"], "scale": run["scale"]},
        dir=str(folder),
        mode=mode,
        resume=resume,
        reinit="create_new",
        settings=wandb.Settings(
            silent=True,
            console="off",
            init_timeout=INIT_SECONDS,
            finish_timeout=FINISH_SECONDS,
            finish_timeout_raises=True,
            disable_git=True,
            disable_code=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )


def _points(row: Row) -> tuple[dict[str, Any], str]:
    """What W&B gets of a row, and the name of its x axis: "step", or "<scope>/step"."""
    scope = row.get("scope", "")
    prefix = f"{scope}/" if scope else ""
    metrics = {k: v for k, v in row.items() if k not in ("step", "time", "scope")}
    points = {f"{prefix}step": row["step"], f"{prefix}time": row["time"]}
    return points | _spread(metrics), f"{prefix}step"


def _spread(values: Mapping[str, Any]) -> dict[str, float]:
    """Flat numbers: a list becomes its mean and "/r0", "/r1"..., a mapping its value and the rest.

    So {"gamma": {"value": 1.2, "low": 1.1}} gives gamma 1.2 and gamma/low 1.1.
    """
    flat: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {name if k == "value" else f"{name}/{k}": v for k, v in value.items()}
        elif isinstance(value, list | tuple):
            flat |= {f"{name}/r{i}": v for i, v in enumerate(value)}
            flat |= {name: sum(value) / len(value)} if value else {}
        else:
            flat[name] = value
    return flat


def _summary(folder: Path) -> dict[str, Any]:
    """The summary of a finished record, flat, with "verdict/<claim>" for each of its claims."""
    end = json.loads((folder / "summary.json").read_text())
    claims = folder / "claims.json"
    rows = json.loads(claims.read_text()) if claims.exists() else []
    verdicts = {f"verdict/{row['name']}": row["verdict"] for row in rows}
    return _spread(end["summary"]) | verdicts


def _figures(folder: Path) -> Iterator[tuple[str, Any]]:
    """("figures/<stem>", image or animation) for each file drawn."""
    import wandb

    for path in sorted(folder.glob("*.png")):
        yield f"figures/{path.stem}", wandb.Image(str(path))
    for path in sorted(folder.glob("*.gif")):
        yield f"figures/{path.stem}", wandb.Video(str(path), format="gif")
