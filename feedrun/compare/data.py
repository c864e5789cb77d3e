"""What the compare page shows, as JSON: runs, groups, claims and provenance of each experiment."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feedrun.analysis import groups as grouping
from feedrun.analysis.claims import pooled
from feedrun.analysis.groups import Group
from feedrun.analysis.published import Number, beside, published
from feedrun.compare import runs as runlist
from feedrun.compare.runs import digits
from feedrun.records.find import Gathered, queued
from feedrun.records.store import Record
from feedrun.report import verdicts

FEW = 4
"""Fewer groups than this have all their differences in their labels."""


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
    metrics, claims = grouping.metrics(records), _claims(records)
    paper = next((str(r.run.get("paper") or "") for r in records), "")
    numbers, common = published(paper).all(), usual(groups)
    same, own = runlist.origins(records)
    runs = [
        runlist.recorded(record, number, keys, metrics, place)
        for number, group in enumerate(groups)
        for record in group.records
    ]
    return {
        "name": name,
        "paper": paper,
        "keys": keys,
        "same": {k: v for k, v in _shared(records).items() if k != "experiment"},
        "usual": common,
        "metrics": metrics,
        "claims": [_claim(row) for row in claims.values()],
        "groups": [_group(group, common, metrics, claims, numbers) for group in groups],
        "runs": [
            *(run | {"origin": mine} for run, mine in zip(runs, own, strict=True)),
            *runlist.waiting(name, gathered, groups, keys, place),
        ],
        "origin": same,
    }


def _shared(records: Sequence[Record]) -> dict[str, Any]:
    return grouping.shared(records) if records else {}


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
    group: Group,
    common: Mapping[str, Any],
    metrics: Sequence[str],
    claims: Mapping[Any, Any],
    numbers: Sequence[Number],
) -> dict[str, Any]:
    """Estimates and verdicts over the complete runs of one config."""
    complete = [record for record in group.records if record.state == "complete"]
    judged = {_same(one.row): one for one in pooled(complete)}
    config = grouping.config(group.records[0])
    return {
        "label": label(group, common),
        "whole": group.label,
        "smoke": all(record.run["scale"] == "smoke" for record in group.records),
        "cells": [_cell(cell) if cell else None for cell in grouping.cells(complete, metrics)],
        "published": {
            index: [_published(number) for number in found]
            for index, metric in enumerate(metrics)
            if (found := beside(numbers, config, metric))
        },
        "verdicts": [
            {"over": _verdict(judged[key].row), "what": judged[key].over, "runs": judged[key].own}
            if key in judged
            else None
            for key in claims
        ],
    }


def _cell(cell: grouping.Cell) -> list[Any]:
    return [digits(cell.value), digits(cell.low), digits(cell.high), cell.n, cell.over]


def _published(number: Number) -> list[Any]:
    """[value, low, high, where it stands]."""
    where = ", ".join(filter(None, [number.source, number.setting]))
    return [digits(number.value), digits(number.low), digits(number.high), where]


def _claims(records: Sequence[Record]) -> dict[Any, Mapping[str, Any]]:
    """Every claim once; one whose interval changed between versions counts as two."""
    return {_same(row): row for record in records for row in record.claims}


def _same(row: Mapping[str, Any]) -> Any:
    return row["name"], row["metric"], row["expected_low"], row["expected_high"]


def _claim(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("name", "statement", "source", "origin", "metric")
    return {key: row[key] for key in kept} | {"expected": verdicts.expected(row)}


def _verdict(row: Mapping[str, Any]) -> list[Any]:
    """[verdict, value, low, high, n]."""
    return [row["verdict"], *(digits(row[key]) for key in ("value", "low", "high")), row["n"]]
