"""The runs of an experiment as the compare page lists them: recorded ones, and queued ones."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from feedrun.analysis import groups
from feedrun.analysis.groups import Group
from feedrun.records import sweeps
from feedrun.records.find import Gathered, queued
from feedrun.records.store import Record
from feedrun.records.sweeps import Job


def recorded(
    record: Record, group: int, keys: Sequence[str], metrics: Sequence[str], place: Path
) -> dict[str, Any]:
    """One run; `values` go with `keys`, `summary` with `metrics`; links start at `place`."""
    config, run = groups.config(record), record.run
    state, progress = _state(record)
    return {
        "id": run["id"],
        "group": group,
        "state": state,
        "progress": progress,
        "smoke": run["scale"] == "smoke",
        "seed": run["seed"],
        "values": [config.get(key) for key in keys],
        "summary": [digits(groups.run_value(record, metric)) for metric in metrics],
        "seconds": digits(record.seconds),
        "started": run["started"],
        "resumed": len(run.get("resumed") or []),
        "idle": _idle(record),
        "error": record.error,
        "folder": str(record.folder),
        "href": link(record.folder, place) + "/",
        "diff": (record.folder / "code.diff").exists(),
    }


def _state(record: Record) -> tuple[str, str]:
    """complete | failed | running | stopped, and how far a running one is."""
    if record.state == "complete":
        return record.state, ""
    now = sweeps.state(record.folder)
    if now.name == "running":
        return now.name, sweeps.progress_words(now.progress)
    return ("failed" if record.state == "failed" else "stopped"), ""


def _idle(record: Record) -> int | None:
    """Seconds since a run that is not complete last wrote a row."""
    rows = record.folder / "metrics.jsonl"
    if record.state == "complete" or not rows.exists():
        return None
    return round(max(0.0, time.time() - rows.stat().st_mtime))


def waiting(
    name: str, gathered: Gathered, groups: Sequence[Group], keys: Sequence[str], place: Path
) -> Iterator[dict[str, Any]]:
    """Jobs of sweeps that have no record yet, in the group of those that differ in seed only."""
    places = {r.run["id"]: number for number, group in enumerate(groups) for r in group.records}
    left = {job.id for job in queued(gathered) if job.experiment == name}
    for one in gathered.sweeps:
        alike = {_but_seed(job): places[job.id] for job in one.jobs if job.id in places}
        for job in one.jobs:
            if job.id in left:
                left.remove(job.id)
                yield _queued(job, alike.get(_but_seed(job)), groups, keys, place)


def _but_seed(job: Job) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, str(v)) for k, v in job.values.items() if k != "seed"))


def _queued(
    job: Job, group: int | None, groups: Sequence[Group], keys: Sequence[str], place: Path
) -> dict[str, Any]:
    known = job.values if group is None else groups[group].values
    return {
        "id": job.id,
        "group": group,
        "state": "queued",
        "smoke": False,
        "seed": _read(job.values.get("seed")),
        "values": [_read(known.get(key)) for key in keys],
        "folder": str(job.folder),
        "href": link(job.folder, place) + "/",
    }


def _read(word: Any) -> Any:
    """A value of a sweep as the run will have it: '0.1' is a number."""
    try:
        return json.loads(word) if isinstance(word, str) else word
    except ValueError:
        return word


def origin(run: Mapping[str, Any]) -> dict[str, str]:
    """Where a run came from, as flat text: code, versions, device, machine, precision."""
    code, device = run.get("code") or {}, run.get("device") or {}
    machine, process = run.get("machine") or {}, run.get("process") or {}
    sha = str(code.get("sha") or "unknown")[:8]
    return {
        "code": f"{sha} with changes" if code.get("dirty") else sha,
        **{name: str(version) for name, version in (run.get("versions") or {}).items()},
        "device": f"{device.get('count', '?')} {device.get('kind', 'unknown')}",
        "machine": f"{machine.get('system', 'unknown')}, {machine.get('cores', '?')} cores",
        "floats": "float64" if run.get("x64") else "float32",
        "matmul precision": str(process.get("precision", "unknown")),
    }


def origins(records: Sequence[Record]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What all runs have in common of their origin, and for each run the rest."""
    every = [origin(record.run) for record in records]
    names = dict.fromkeys(name for one in every for name in one)
    same = {n: every[0].get(n, "") for n in names if len({one.get(n) for one in every}) == 1}
    return same, [{k: v for k, v in one.items() if k not in same} for one in every]


def figures(records: Sequence[Record]) -> Iterator[tuple[int, Path]]:
    """(index of the run, file) of every figure drawn: first one run a config, then the rest.

    So that a page that cannot hold all of them still sets every config beside the others.
    """
    rest, seen = [], set()
    for index, record in enumerate(records):
        for path in sorted((record.folder / "figures").glob("*.*")):
            key = (path.name, json.dumps(groups.config(record), sort_keys=True))
            if path.suffix not in (".png", ".gif"):
                continue
            if key in seen:
                rest.append((index, path))
            else:
                seen.add(key)
                yield index, path
    yield from rest


def link(path: Path, place: Path) -> str:
    """A relative URL of `path` from a page in `place`."""
    return quote(Path(os.path.relpath(path, place)).as_posix())


def digits(value: float | None) -> float | None:
    """Six significant digits: two more than the page shows, and a third of the bytes."""
    return None if value is None else float(f"{value:.6g}")
