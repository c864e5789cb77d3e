"""All records under the paths that a command was given, and one line for each thing wrong there.

A path may be the folder of a record, of an experiment, of a sweep, outputs/ as a whole, or the
published records under docs/records/.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from feedrun.records import schema, store
from feedrun.records import sweeps as sweep

DEPTH = 4
"""Folders below a path that are searched: a checkout, its outputs/, an experiment, a record."""


class Gathered(NamedTuple):
    """What was found: each record once, oldest first; sweeps; what is wrong, a line each."""

    records: list[store.Record]
    sweeps: list[sweep.Sweep]
    faults: list[str]


def gather(paths: Sequence[Path]) -> Gathered:
    """Read everything under `paths`. Never raises for bad input: that is what faults are for."""
    folders: list[Path] = []
    sweeps: list[sweep.Sweep] = []
    faults: list[str] = []
    for path in paths:
        _search(path, folders, sweeps, faults)
    found = [record for folder in _once(folders) if (record := _read(folder, faults))]
    found.sort(key=lambda record: record.run["started"])
    kept = _newest(found, faults)
    return Gathered(kept, sweeps, list(dict.fromkeys([*faults, *_versions(kept)])))


def queued(gathered: Gathered) -> list[sweep.Job]:
    """Jobs of the sweeps that have no record yet, each once."""
    known = {record.run["id"] for record in gathered.records}
    jobs = {job.id: job for one in gathered.sweeps for job in one.jobs if job.id not in known}
    return [job for job in jobs.values() if not (job.folder / "run.json").exists()]


def _search(path: Path, folders: list[Path], sweeps: list[sweep.Sweep], faults: list[str]) -> None:
    """Add the record folders and sweeps under one path, or say why there are none."""
    if not path.is_dir():
        kind = "is a file; give the folder around it" if path.exists() else "no such folder"
        faults.append(f"{path}: {kind}")
        return
    before, empty = len(faults), True
    for folder in _walk(path, DEPTH, faults):
        empty = False
        if (folder / "run.json").exists():
            folders.append(folder)
        else:
            _add_sweep(folder, folders, sweeps, faults)
    if empty and len(faults) == before:
        faults.append(f"{path}: no records in it")


def _walk(folder: Path, depth: int, faults: list[str]) -> Iterator[Path]:
    """Folders that hold a run.json or a sweep.json; nothing is looked for inside of those."""
    try:
        if (folder / "run.json").exists() or (folder / "sweep.json").exists():
            yield folder
            return
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        faults.append(f"{error.filename or folder}: {error.strerror}")
        return
    for name in names if depth else ():
        yield from _walk(folder / name, depth - 1, faults)


def _add_sweep(
    folder: Path, folders: list[Path], sweeps: list[sweep.Sweep], faults: list[str]
) -> None:
    try:
        # Absolute: a sweep finds its records relative to the folder two above its own.
        one = sweep.read(Path(os.path.abspath(folder)))
    except ValueError as error:
        faults.append(str(error))
        return
    if not any(os.path.samefile(one.folder, known.folder) for known in sweeps):
        sweeps.append(one)
        folders += [job.folder for job in one.jobs if (job.folder / "run.json").exists()]


def _once(folders: Iterable[Path]) -> list[Path]:
    """Each folder once, whatever it was reached by; relative to here where it lies below."""
    here = os.getcwd()
    real: dict[str, str] = {}
    for folder in folders:
        real.setdefault(os.path.realpath(folder), os.path.abspath(folder))
    below = os.path.join(here, "")
    return [Path(p[len(below) :] if p.startswith(below) else p) for p in real.values()]


def _read(folder: Path, faults: list[str]) -> store.Record | None:
    """One record, checked; None, with a fault, where it cannot be read or relied on."""
    try:
        record = store.load(folder)
        schema.record(record)
    except ValueError as error:
        faults.append(f"left out: {error}")
    except (KeyError, TypeError) as error:
        faults.append(f"left out: {folder / 'summary.json'} is no summary: {error!r}")
    else:
        return record
    return None


def _newest(records: list[store.Record], faults: list[str]) -> list[store.Record]:
    """One record a config id, oldest first: a complete one if there is one, then the newest."""
    same = defaultdict(list)
    for record in records:
        same[record.run["experiment"], record.run["id"]].append(record)
    kept = []
    for (name, config_id), copies in same.items():
        best = max(copies, key=lambda r: (r.state == "complete", r.run["started"]))
        kept.append(best)
        others = [str(copy.folder) for copy in copies if copy is not best]
        if others:
            rest = ", ".join(others)
            faults.append(f"{name} {config_id} is there more than once: {best.folder} is shown "
                          f"(complete before unfinished, then the newest), not {rest}")  # fmt: skip
    return sorted(kept, key=lambda record: record.run["started"])


def _versions(records: Sequence[store.Record]) -> Iterator[str]:
    """One line for each experiment whose records have different targets, config keys or claims."""
    experiments = defaultdict(list)
    for record in records:
        experiments[record.run["experiment"]].append(record)
    for name, own in experiments.items():
        said = [*_targets(own), *_keys(own), *_claims(own)]
        if said:
            yield f"{name}: records of different versions of the experiment ({'; '.join(said)})"


def _targets(records: Sequence[store.Record]) -> Iterator[str]:
    targets = dict.fromkeys(record.run["target"] for record in records)
    if len(targets) > 1:
        yield "targets " + ", ".join(targets)


def _keys(records: Sequence[store.Record]) -> Iterator[str]:
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        for key in store.flat(record.run["config"]):
            counts[key] += 1
    some = [f"{key} in {n} of {len(records)}" for key, n in counts.items() if n < len(records)]
    if some:
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        yield "config keys: " + ", ".join(some[:3]) + more


def _claims(records: Sequence[store.Record]) -> Iterator[str]:
    complete = [record for record in records if record.state == "complete"]
    kinds: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for record in complete:
        for row in record.claims:
            what = (row["metric"], row["expected_low"], row["expected_high"])
            kinds[row["name"]].add(what)
    changed = [name for name, found in kinds.items() if len(found) > 1]
    if changed:
        yield "claims that expect other things: " + ", ".join(changed)
