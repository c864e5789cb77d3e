"""A claim over several runs of one config, judged again on what all of them measured.

What each run counts with follows from what its experiment returned, as in `experiment.judge`:

- A plain number is exact, in every run. So the claim is about each run, and no statistics are
  needed: it holds where it holds in all of them, fails where it fails in all of them, and is
  undecided where they disagree. The interval is the range of the numbers.
- One number a repeat, or an estimate: these scatter. The run is the unit (`groups.over_runs`):
  the interval is that of the mean over runs, 3 at least, whatever each of them says alone.

An experiment that measures something random once a run returns a list of one: undecided alone,
judged from three seeds on.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from feedrun.analysis import groups
from feedrun.experiment import Claim, Estimate, judge, verdict_row
from feedrun.records.store import Record


class Pooled(NamedTuple):
    """A claim with its verdict over runs.

    row: as in claims.json; its n counts runs where there are several, else repeats.
    over: what the interval is over: "runs", "range" (of exact numbers), "repeats", "fit" or "".
    own: the verdicts of the single runs and how often each was given.
    """

    row: Mapping[str, Any]
    over: str
    runs: int
    own: Mapping[str, int]


def pooled(records: Sequence[Record]) -> list[Pooled]:
    """All claims of runs of one config, in order; claims that expect other things stay apart."""
    found: dict[tuple[Any, ...], list[tuple[Record, Mapping[str, Any]]]] = defaultdict(list)
    for record in records:
        for row in record.claims:
            what = tuple(row[k] for k in ("name", "metric", "expected_low", "expected_high"))
            found[what].append((record, row))
    return [_alone(*pairs[0]) if len(pairs) == 1 else _together(pairs) for pairs in found.values()]


def counted(record: Record) -> bool:
    """Do the verdicts of this run count? Those of a smoke run never do."""
    return record.run["scale"] != "smoke"


def _alone(record: Record, row: Mapping[str, Any]) -> Pooled:
    (cell,) = groups.cells([record], [row["metric"]])
    return Pooled(row, cell.over if cell else "", 1, {row["verdict"]: 1})


def _together(pairs: Sequence[tuple[Record, Mapping[str, Any]]]) -> Pooled:
    first = pairs[0][1]
    having = [record for record, _ in pairs if first["metric"] in record.summary]
    found = [groups.measured(record, first["metric"]) for record in having]
    own = Counter(row["verdict"] for _, row in pairs)
    if not found:
        return Pooled(first, "", len(pairs), own)
    if len(found) == 1:
        lone = next(row for record, row in pairs if record is having[0])
        return _alone(having[0], lone)._replace(own=own)
    estimate, over = _pool(found)
    row = verdict_row(judge(_claim(first), {first["metric"]: estimate}))
    return Pooled(row | {"n": len(found)}, over, len(found), own)


def _pool(found: Sequence[Any]) -> tuple[Any, str]:
    """What `judge` is given of several runs, and what its interval is over."""
    if all(isinstance(one, int | float) for one in found):
        return Estimate(sum(found) / len(found), min(found), max(found)), "range"
    value, low, high, _ = groups.over_runs(found)
    if low is None or high is None:
        return [groups.middle(one) for one in found], ""
    return Estimate(value, low, high), "runs"


def _claim(row: Mapping[str, Any]) -> Claim:
    words = (row[key] for key in ("name", "statement", "source", "origin", "metric"))
    return Claim(*words, low=row["expected_low"], high=row["expected_high"])
