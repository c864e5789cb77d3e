"""A sweep on disk: which runs one command asked for, and how far each of them is.

outputs/sweeps/<name>-<hash>/
  sweep.json      the points of the grid in order, each with its config id and its record's folder
  logs/<id>.log   what the run printed, where it ran in a process of its own
The records themselves lie where those of single runs lie; a sweep only points at them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from feedrun.records import store


class Job(NamedTuple):
    """One point of the grid: its record, and the values that distinguish it from the others."""

    id: str
    experiment: str
    folder: Path
    values: Mapping[str, Any]


class Sweep(NamedTuple):
    """What sweep.json says; `table` is what a named sweep wants to be shown as, or None."""

    folder: Path
    name: str
    words: list[str]
    jobs: list[Job]
    table: Mapping[str, Any] | None


def read(folder: Path) -> Sweep:
    """The sweep in `folder`. Raises ValueError, naming the file, where there is none."""
    found = store.read_json(folder / "sweep.json")
    try:
        jobs = [
            Job(j["id"], j["experiment"], folder.parent.parent / j["folder"], j["values"])
            for j in found["jobs"]
        ]
        return Sweep(folder, found["name"], found["words"], jobs, found["table"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / 'sweep.json'} is no sweep: {error!r}") from error


def write(sweep: Sweep) -> None:
    """Write sweep.json; record folders are kept relative to the outputs folder."""
    outputs = sweep.folder.parent.parent
    jobs = [{**job._asdict(), "folder": str(job.folder.relative_to(outputs))} for job in sweep.jobs]
    sweep.folder.mkdir(parents=True, exist_ok=True)
    content = {"name": sweep.name, "words": sweep.words, "table": sweep.table, "jobs": jobs}
    store.write_json(sweep.folder / "sweep.json", content)


class State(NamedTuple):
    """How far one job is, as its record's files tell."""

    name: Literal["queued", "running", "stopped", "failed", "done"]
    line: str = ""
    """What went wrong, of a failed job."""
    progress: Mapping[str, Any] = {}
    """The content of progress.json, of a running one."""


def state(folder: Path) -> State:
    """The state of the record in `folder`, also while another process writes it.

    "stopped" is a run that was interrupted or killed: the same command resumes it.
    """
    if store.finished(folder):
        return State("done")
    if store.held(folder):
        return State("running", progress=_read_or(folder / "progress.json", {}))
    if (folder / "failure.json").exists():
        failure = _read_or(folder / "failure.json", {})
        return State("failed", str(failure.get("error", "unreadable failure.json")).split("\n")[0])
    return State("stopped" if (folder / "run.json").exists() else "queued")


def _read_or(path: Path, otherwise: Any) -> Any:
    """The content of a file that may come and go."""
    try:
        return store.read_json(path)
    except ValueError:
        return otherwise


def progress_words(progress: Mapping[str, Any]) -> str:
    """'train 300/4000, 120/s, 31 s left' from a progress.json."""
    if not progress:
        return ""
    words = [f"{progress['scope'] or 'step'} {progress['done']}/{progress['total']}"]
    words += [f"{progress['rate']:.3g}/s"] if progress["rate"] else []
    words += [f"{duration(progress['left'])} left"] if progress["left"] else []
    return ", ".join(words)


def duration(seconds: float) -> str:
    """'1.4 s', '41 s', '3:12' (minutes), '2:03:12'."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
