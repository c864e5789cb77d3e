"""Runs that differ only in their seed belong together: what varies, groups, estimates over runs."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from feedrun.experiment import Estimate, estimate
from feedrun.maths import stats
from feedrun.records.store import Record, flat

MANY = 10
"""From so many runs on a group has an interquartile mean."""

APART = ("experiment", "scale")
"""What runs of one group share beside their config."""


class Group(NamedTuple):
    """Runs of one config; `values` is what sets it apart from the other groups, in order."""

    values: Mapping[str, Any]
    records: list[Record]

    @property
    def label(self) -> str:
        """'tokens=16, beta=4': only what differs; empty where there is one group."""
        names = short(list(self.values))
        return ", ".join(f"{names[key]}={text(value)}" for key, value in self.values.items())


class Cell(NamedTuple):
    """A metric over the runs of a group; `low` and `high` are a 95% interval, None without one.

    n: runs that have the metric. over: what the interval is over: "runs", or for a single run
    its own "repeats" or "fit", or "". iqm: the interquartile mean with its interval from MANY runs
    on. values: the number of each run.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    over: str
    iqm: Estimate | None
    values: list[float]


def config(record: Record) -> dict[str, Any]:
    """Experiment, scale and dotted config of a run: all but its seed."""
    return {key: record.run[key] for key in APART} | flat(record.run["config"])


def full(key: str, keys: Collection[str]) -> str:
    """The dotted key that `key` names: itself, or the only one that ends in it."""
    ends = [known for known in keys if known.endswith(f".{key}")]
    return ends[0] if key not in keys and len(ends) == 1 else key


def short(keys: Collection[str]) -> dict[str, str]:
    """Dotted key -> its last part, or all of it where two keys end in the same."""
    ends = [key.rpartition(".")[2] for key in keys]
    return {key: end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)}


def varying(records: Sequence[Record]) -> list[str]:
    """The keys of `config` in which the records differ (or which only some have), in order."""
    configs = [config(record) for record in records]
    same = _shared(configs)
    return [key for key in dict.fromkeys(key for one in configs for key in one) if key not in same]


def shared(records: Sequence[Record]) -> dict[str, Any]:
    """What all the records have in common of `config`."""
    return _shared([config(record) for record in records])


def _shared(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, missing = (configs[0] if configs else {}), object()
    return {k: v for k, v in first.items() if all(one.get(k, missing) == v for one in configs)}


def groups(records: Sequence[Record], keys: Sequence[str] | None = None) -> list[Group]:
    """The records by their values of `keys` (all that vary, unless given), sorted by them.

    Numbers are sorted as numbers, anything else stays in the order in which it first appears.
    """
    chosen = varying(records) if keys is None else list(keys)
    found: dict[tuple[str, ...], Group] = {}
    for record in records:
        own = {**config(record), "seed": record.run["seed"]}
        values = {key: own.get(key) for key in chosen}
        place = tuple(_same(own, key) for key in chosen)
        found.setdefault(place, Group(values, [])).records.append(record)
    return _sorted(list(found.values()), chosen)


def _sorted(found: list[Group], keys: Sequence[str]) -> list[Group]:
    """By the last key, then the one before..: each sort keeps the order of the later ones."""
    for key in reversed(keys):
        order = list(dict.fromkeys(json.dumps(group.values[key]) for group in found))
        numeric = all(isinstance(json.loads(word), int | float) for word in order)
        if numeric:
            order.sort(key=json.loads)
        found = sorted(found, key=lambda g: order.index(json.dumps(g.values[key])))
    return found


def metrics(records: Sequence[Record]) -> list[str]:
    """All metrics of all summaries, in order of first appearance."""
    return list(dict.fromkeys(name for record in records for name in record.summary))


def run_value(record: Record, metric: str) -> float | None:
    """The number of one run: its number, its fit's value or the mean over its repeats."""
    return middle(measured(record, metric)) if metric in record.summary else None


def middle(found: Any) -> float:
    """The one number of what a run measured (without the cost of an interval)."""
    return float(found.value if isinstance(found, Estimate) else np.mean(found))


def measured(record: Record, metric: str) -> Any:
    """A summary value as the experiment returned it: {"value", "low", "high"} is an Estimate."""
    stored = record.summary[metric]
    return Estimate(**stored) if isinstance(stored, Mapping) else stored


def cells(records: Sequence[Record], metrics: Sequence[str]) -> list[Cell | None]:
    """Each metric over runs of one config: mean with 95% interval; None where no run has it."""
    strata = [group.records for group in groups(records)] if len(records) >= MANY else []
    return [_cell([r for r in records if name in r.summary], name, strata) for name in metrics]


def _cell(having: Sequence[Record], metric: str, strata: Sequence[list[Record]]) -> Cell | None:
    if not having:
        return None
    found = [measured(record, metric) for record in having]
    value, low, high, n = over_runs(found)
    values = [middle(one) for one in found]
    over = _kind(found[0]) if n == 1 else "runs" if low is not None else ""
    iqm = _interquartile(strata, metric) if n >= MANY else None
    return Cell(value, *((low, high) if over else (None, None)), n, over, iqm, values)


def _interquartile(strata: Sequence[list[Record]], metric: str) -> Estimate:
    """Interquartile mean over all runs; the bootstrap keeps the number of runs of each config."""
    found = [[run_value(r, metric) for r in own if metric in r.summary] for own in strata]
    arrays = [np.asarray(values, float) for values in found if values]
    return Estimate(stats.iqm(np.concatenate(arrays)), *stats.stratified_iqm_interval(arrays))


def over_runs(found: Sequence[Any]) -> tuple[float, float | None, float | None, int]:
    """(mean, low, high, n) of what several runs measured; the run is the unit.

    A run counts with one number, since its repeats may share what its seed drew; fewer than 3
    runs have no interval. Fits bring their own intervals: if those, combined, are wider than what
    the runs scatter, they hold (three proportions of 1.0 do not scatter, but are not certain).
    """
    if len(found) == 1:
        return *estimate(found[0])[:3], 1
    value, low, high, n = estimate([middle(one) for one in found])
    if low is None or high is None:
        return value, None, None, n
    fits = [one for one in found if isinstance(one, Estimate)]
    down = sum((fit.value - fit.low) ** 2 for fit in fits) ** 0.5 / n
    up = sum((fit.high - fit.value) ** 2 for fit in fits) ** 0.5 / n
    return value, min(low, value - down), max(high, value + up), n


def text(value: Any) -> str:
    """A config value in a label; '-' for a key that this run does not have."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)


def _kind(found: Any) -> str:
    """What the interval of one run is over."""
    if isinstance(found, Estimate):
        return "fit"
    return "repeats" if isinstance(found, list) and len(found) >= stats.MIN_REPEATS else ""


def _same(config: Mapping[str, Any], key: str) -> str:
    """A value in a form that can be compared and hashed; a missing key is like no value."""
    return json.dumps(config[key], sort_keys=True) if key in config else ""
