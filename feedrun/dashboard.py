"""What the compare page shows, as JSON: runs, groups, claims and provenance of each experiment."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from feedrun import grouping, report
from feedrun.gather import Gathered, queued
from feedrun.grouping import Group
from feedrun.pooling import pooled
from feedrun.store import Record
from feedrun.sweep import Job

FEW = 4
"""Fewer groups than this have all their differences in their labels."""

CLAIM_KEYS = ("name", "statement", "source", "origin", "metric")


def experiments(gathered: Gathered, place: Path) -> list[dict[str, Any]]:
    """One entry an experiment, most runs first; links are relative to the folder `place`."""
    names = Counter(record.run["experiment"] for record in gathered.records)
    names.update(job.experiment for job in queued(gathered))
    return [_experiment(name, gathered, place) for name, _ in names.most_common()]


def members(gathered: Gathered, name: str) -> list[Record]:
    """The records of one experiment in the order of the page: by group, then by seed."""
    own = [record for record in gathered.records if record.run["experiment"] == name]
    return [record for group in _groups(own) for record in group.records]


def _groups(records: Sequence[Record]) -> list[Group]:
    """Groups with their runs sorted by seed."""
    return [
        group._replace(records=sorted(group.records, key=lambda r: r.run["seed"]))
        for group in grouping.groups(records)
    ]


def _experiment(name: str, gathered: Gathered, place: Path) -> dict[str, Any]:
    records = members(gathered, name)
    groups, keys = _groups(records), grouping.varying(records)
    waiting = [job for job in queued(gathered) if job.experiment == name]
    metrics, claims = grouping.metrics(records), _claims(records)
    origins, common = [origin(record.run) for record in records], usual(groups)
    same, own = _split(origins)
    runs = [
        _run(record, group, keys, metrics, claims, place)
        for group, one in enumerate(groups)
        for record in one.records
    ]
    return {
        "name": name,
        "paper": next((r.run.get("paper") or "" for r in records), ""),
        "keys": keys,
        "same": _constant(records, keys),
        "usual": common,
        "metrics": metrics,
        "claims": [_claim(row) for row in claims.values()],
        "groups": [_group(group, common, metrics, claims) for group in groups],
        "runs": [run | {"origin": mine} for run, mine in zip(runs, own, strict=True)]
        + [_waiting(job, groups, keys, place) for job in waiting],
        "origin": same,
    }


def _run(
    record: Record,
    group: int,
    keys: Sequence[str],
    metrics: Sequence[str],
    claims: Mapping[Any, Any],
    place: Path,
) -> dict[str, Any]:
    """One run; `values` go with `keys`, `summary` with `metrics`, `verdicts` with `claims`."""
    config, run = grouping.config(record), record.run
    verdicts = {_same(row): row for row in record.claims}
    return {
        "id": run["id"],
        "group": group,
        "state": record.state,
        "smoke": run["scale"] == "smoke",
        "seed": run["seed"],
        "values": [config.get(key) for key in keys],
        "summary": [digits(grouping.run_value(record, metric)) for metric in metrics],
        "verdicts": [_verdict(verdicts[key]) if key in verdicts else None for key in claims],
        "seconds": digits(record.seconds),
        "started": run["started"],
        "resumed": len(run.get("resumed") or []),
        "idle": _idle(record),
        "error": record.error,
        "folder": str(record.folder),
        "href": link(record.folder, place) + "/",
        "diff": (record.folder / "code.diff").exists(),
    }


def _waiting(
    job: Job, groups: Sequence[Group], keys: Sequence[str], place: Path
) -> dict[str, Any]:
    """A job of a sweep that has no record yet; in a group if its values say which."""
    seed = job.values.get("seed")
    named = {key: value for key, value in job.values.items() if key in keys}
    fitting = [
        number
        for number, group in enumerate(groups)
        if all(group.values[key] == value for key, value in named.items())
    ]
    return {
        "id": job.id,
        "group": fitting[0] if len(fitting) == 1 else None,
        "state": "queued",
        "seed": seed,
        "values": [job.values.get(key) for key in keys],
        "asked": dict(job.values),
        "folder": str(job.folder),
        "href": link(job.folder, place) + "/",
    }


def usual(groups: Sequence[Group]) -> dict[str, Any]:
    """The values that more than half of several groups have: what a label need not say."""
    if len(groups) < FEW:
        return {}
    found = {}
    for key in groups[0].values:
        counts = Counter(json.dumps(group.values[key]) for group in groups)
        value, count = counts.most_common(1)[0]
        if count > len(groups) / 2:
            found[key] = json.loads(value)
    return found


def label(group: Group, common: Mapping[str, Any]) -> str:
    """'lr=0.05, trouble=raise': what sets a group apart and is not as usual."""
    apart = {k: v for k, v in group.values.items() if k not in common or common[k] != v}
    return group._replace(values=apart).label or ("as usual" if common else "")


def _group(
    group: Group, common: Mapping[str, Any], metrics: Sequence[str], claims: Mapping[Any, Any]
) -> dict[str, Any]:
    """Estimates and verdicts over the complete runs of one config."""
    complete = [record for record in group.records if record.state == "complete"]
    cells = grouping.cells(complete, metrics)
    judged = {_same(one.row): one for one in pooled(complete)}
    return {
        "label": label(group, common),
        "whole": group.label,
        "smoke": all(record.run["scale"] == "smoke" for record in group.records),
        "cells": [_cell(cell) if cell else None for cell in cells],
        "verdicts": [
            {"over": _verdict(judged[key].row), "what": judged[key].over, "runs": judged[key].own}
            if key in judged
            else None
            for key in claims
        ],
    }


def _cell(cell: grouping.Cell) -> list[Any]:
    return [digits(cell.value), digits(cell.low), digits(cell.high), cell.n, cell.over]


def _claims(records: Sequence[Record]) -> dict[Any, Mapping[str, Any]]:
    """Every claim once; one whose interval changed between versions counts as two."""
    return {_same(row): row for record in records for row in record.claims}


def _same(row: Mapping[str, Any]) -> Any:
    return row["name"], row["metric"], row["expected_low"], row["expected_high"]


def _claim(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in CLAIM_KEYS} | {"expected": report.expected(row)}


def _verdict(row: Mapping[str, Any]) -> list[Any]:
    """[verdict, value, low, high, n]."""
    return [row["verdict"], *(digits(row[key]) for key in ("value", "low", "high")), row["n"]]


def _constant(records: Sequence[Record], keys: Sequence[str]) -> dict[str, Any]:
    """The part of the config that is the same in all runs."""
    config = grouping.config(records[0]) if records else {}
    return {k: v for k, v in config.items() if k not in keys and k != "experiment"}


def origin(run: Mapping[str, Any]) -> dict[str, str]:
    """Where a run came from, as flat text: code, versions, device, machine, precision."""
    code, device = run.get("code") or {}, run.get("device") or {}
    machine, process = run.get("machine") or {}, run.get("process") or {}
    sha = str(code.get("sha") or "unknown")[:8]
    found = {
        "code": f"{sha} with changes" if code.get("dirty") else sha,
        **{name: str(version) for name, version in (run.get("versions") or {}).items()},
        "device": f"{device.get('count', '?')} {device.get('kind', 'unknown')}",
        "machine": f"{machine.get('system', 'unknown')}, {machine.get('cores', '?')} cores",
        "floats": "float64" if run.get("x64") else "float32",
        "matmul precision": str(process.get("precision", "unknown")),
    }
    return found


def _split(origins: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What all runs have in common, and for each run the rest."""
    names = dict.fromkeys(name for one in origins for name in one)
    same = {n: origins[0].get(n, "") for n in names if len({o.get(n) for o in origins}) == 1}
    return same, [{k: v for k, v in one.items() if k not in same} for one in origins]


def _idle(record: Record) -> float | None:
    """Seconds since an unfinished run last wrote a row."""
    if record.state == "complete":
        return None
    for name in ("metrics.jsonl", "run.json"):
        path = record.folder / name
        if path.exists():
            return round(max(0.0, time.time() - path.stat().st_mtime))
    return None


def link(path: Path, place: Path) -> str:
    """A relative URL of `path` from a page in `place`."""
    return quote(Path(os.path.relpath(path, place)).as_posix())


def digits(value: float | None) -> float | None:
    """Six significant digits: two more than the page shows, and a third of the bytes."""
    return None if value is None else float(f"{value:.6g}")


def figures(records: Sequence[Record]) -> Iterator[tuple[int, Path]]:
    """(index of the run, file) of every figure drawn: first one run a group, then the rest.

    So that a page that cannot hold all of them still sets every config beside the others.
    """
    first, rest = [], []
    seen: set[tuple[str, str]] = set()
    for index, record in enumerate(records):
        for path in sorted((record.folder / "figures").glob("*.*")):
            if path.suffix not in (".png", ".gif"):
                continue
            key = (path.name, str(grouping.config(record)))
            (rest if key in seen else first).append((index, path))
            seen.add(key)
    yield from first
    yield from rest
