"""What runs measured, grouped by what varies: the numbers of a results table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from feedrun.analysis import claims, groups
from feedrun.analysis.groups import Cell, Group
from feedrun.analysis.published import Number, beside, others, published
from feedrun.errors import nearest
from feedrun.experiment import Estimate
from feedrun.records.store import Record


class Wanted(BaseModel):
    """What a table is to show: a named sweep's `table:`, or the options of `feedrun report`.

    rows:     config keys (or their last part) that set rows apart; None: all that vary.
    repeats:  what a row is averaged over, and what differences are paired by.
    show:     metrics, '*' allowed; None: all.
    baseline: key -> value of the rows that the others are compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    rows: list[str] | None = None
    repeats: str | list[str] = "seed"
    show: list[str] | None = None
    baseline: dict[str, Any] = Field(default_factory=dict)


class Difference(NamedTuple):
    """Mean of paired differences to the baseline, 95% interval (None for under 3 pairs)."""

    value: float
    low: float | None
    high: float | None
    pairs: int


class Entry(NamedTuple):
    """One metric of one row; `chance` is what guessing would give, from the records' notes."""

    cell: Cell | None
    difference: Difference | None
    published: list[Number]
    chance: float | None


class Row(NamedTuple):
    """A group of runs with an entry for each metric of the table."""

    group: Group
    entries: list[Entry]
    is_baseline: bool


class Results(NamedTuple):
    """A results table as numbers; `others` are published numbers of what feedrun has not."""

    title: str
    keys: list[str]
    metrics: list[str]
    rows: list[Row]
    baseline: str
    others: list[Number]
    notes: list[str]


def wanted(table: Mapping[str, Any] | None) -> Wanted:
    """A sweep's `table` checked. Raises ValueError in one line."""
    try:
        return Wanted.model_validate(table or {})
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ValueError(f"table: {place}: {fault['msg'].lower()}") from error


def results(records: Sequence[Record], want: Wanted) -> Results:
    """Group the records and measure each group. Raises ValueError where `want` names nothing."""
    keys = None if want.rows is None else [known_key(key, records) for key in want.rows]
    found = groups.groups(records, keys)
    keys = groups.varying(records) if keys is None else keys
    metrics = chosen_metrics(records, want.show)
    asked = {known_key(key, records): value for key, value in want.baseline.items()}
    bases = _baselines(found, asked)
    pairing = _pairing(found, [want.repeats] if isinstance(want.repeats, str) else want.repeats)
    papers = {str(record.run.get("paper", "")) for record in records}
    numbers = [number for paper in sorted(papers) for number in published(paper).all()]
    rows = []
    for group, base in zip(found, bases, strict=True):
        rows.append(Row(group, _entries(group, base, metrics, pairing, numbers), base is group))
    configs = [groups.config(record) for record in records]
    extra = [number for metric in metrics for number in others(numbers, configs, metric)]
    names = groups.short(list(asked))
    label = ", ".join(f"{names[key]}={groups.text(value)}" for key, value in asked.items())
    return Results(want.title, keys, metrics, rows, label, extra, list(_notes(found, want)))


def chosen_metrics(records: Sequence[Record], patterns: Sequence[str] | None) -> list[str]:
    """The metrics that the patterns name, in their order. Raises ValueError for one without any."""
    known = groups.metrics(records)
    if patterns is None:
        return known
    found: dict[str, None] = {}
    for pattern in patterns:
        names = [name for name in known if fnmatchcase(name, pattern)]
        if not names and known:
            raise ValueError(f"no run measured {pattern}{nearest(pattern, known)}")
        found |= dict.fromkeys(names)
    return list(found)


def known_key(key: str, records: Sequence[Record]) -> str:
    """The dotted key that `key` names. Raises ValueError where no record has it."""
    known = dict.fromkeys(key for record in records for key in groups.config(record))
    full = groups.full(key, known)
    if full not in known and full != "seed":
        raise ValueError(f"no run has a key {key}{nearest(key, known)}")
    return full


def _entries(
    group: Group,
    base: Group | None,
    metrics: list[str],
    pairing: list[str],
    numbers: list[Number],
) -> list[Entry]:
    config, cells = groups.shared(group.records), groups.cells(group.records, metrics)
    entries = []
    for metric, cell in zip(metrics, cells, strict=True):
        apart = None
        if base is not None and base is not group:
            apart = paired(group.records, base.records, metric, pairing)
        chances = [c for record in group.records if (c := chance(record, metric)) is not None]
        mean = sum(chances) / len(chances) if chances else None
        entries.append(Entry(cell, apart, beside(numbers, config, metric), mean))
    return entries


def chance(record: Record, metric: str) -> float | None:
    """What guessing gives: `notes["chance"]` of a record maps metrics to such numbers."""
    stored = record.notes.get("chance")
    value = stored.get(metric) if isinstance(stored, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def paired(
    ours: Sequence[Record], base: Sequence[Record], metric: str, keys: Sequence[str]
) -> Difference | None:
    """ours - base over runs that agree in `keys` (their seed); None where no two do."""
    mates = {_place(record, keys): record for record in base if metric in record.summary}
    found = [
        _minus(groups.measured(record, metric), groups.measured(mate, metric))
        for record in ours
        if metric in record.summary and (mate := mates.get(_place(record, keys)))
    ]
    if not found:
        return None
    value, low, high, pairs = groups.over_runs(found)
    certain = pairs == 1 and not isinstance(found[0], Estimate)
    return Difference(value, *((None, None) if certain else (low, high)), pairs)


def _minus(a: Any, b: Any) -> Any:
    """The difference of two runs; that of two fits has both their errors, independent ones."""
    if not (isinstance(a, Estimate) and isinstance(b, Estimate)):
        return groups.middle(a) - groups.middle(b)
    down = math.hypot(a.value - a.low, b.high - b.value)
    up = math.hypot(a.high - a.value, b.value - b.low)
    value = a.value - b.value
    return Estimate(value, value - down, value + up)


def _place(record: Record, keys: Sequence[str]) -> tuple[str, ...]:
    config = {**groups.config(record), "seed": record.run["seed"]}
    return tuple(groups.text(config.get(key)) for key in keys)


def _pairing(found: Sequence[Group], repeats: list[str]) -> list[str]:
    """What two runs must share to be compared: the repeats, and whatever else varies in a row."""
    inside = [key for group in found for key in groups.varying(group.records)]
    return list(dict.fromkeys([*repeats, *inside]))


def _baselines(found: Sequence[Group], asked: Mapping[str, Any]) -> list[Group | None]:
    """For each group the one with the asked values and all others the same. Raises ValueError."""
    for key, value in asked.items():
        there = list(dict.fromkeys(_word(group.values.get(key)) for group in found))
        if all(key not in group.values for group in found):
            raise ValueError(f"baseline {key}={value}: the rows do not differ in {key}")
        if _word(value) not in there:
            raise ValueError(f"baseline {key}={value}: no run has it; there is {', '.join(there)}")
    if not asked:
        return [None] * len(found)
    words = {key: _word(value) for key, value in asked.items()}
    places = {_words(group.values): group for group in found}
    return [places.get(_words({**group.values, **words})) for group in found]


def _words(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_word(value) for value in values.values())


def _word(value: Any) -> str:
    """A value as one would type it; a command line gives words, a table in yaml numbers."""
    return value if isinstance(value, str) else groups.text(value)


def _notes(found: Sequence[Group], want: Wanted) -> Iterator[str]:
    repeats = [want.repeats] if isinstance(want.repeats, str) else want.repeats
    inside = dict.fromkeys(key for group in found for key in groups.varying(group.records))
    merged = [key for key in inside if key not in repeats]
    if merged:
        yield f"rows average over runs that also differ in {', '.join(merged)}"
    if any(not claims.counted(record) for group in found for record in group.records):
        yield "runs at scale=smoke count for nothing"
