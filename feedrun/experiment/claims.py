"""Claims and verdicts: the interval that is claimed against the interval that was measured."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from feedrun.maths import stats

Origin = Literal["paper", "derived", "rival"]
Verdict = Literal["holds", "fails", "undecided", "not measured"]


class Claim(NamedTuple):
    """One statement that a run can confirm or refute: `metric` of the summary in [low, high].

    `origin` is "paper" for what the paper says, "derived" for what follows from it, "rival" for
    an alternative that would undercut it. A missing bound is unbounded on that side.
    """

    name: str
    statement: str
    source: str
    origin: Origin
    metric: str
    low: float | None = None
    high: float | None = None


class Estimate(NamedTuple):
    """A number that was estimated together with its own 95% interval, such as a fitted slope."""

    value: float
    low: float
    high: float


Summary = Mapping[str, "float | list[float] | Estimate"]


class Judgement(NamedTuple):
    """A claim with what was measured. `value`, `low`, `high` are None where nothing was."""

    claim: Claim
    value: float | None
    low: float | None
    high: float | None
    n: int
    verdict: Verdict


def judge(claim: Claim, summary: Summary) -> Judgement:
    """Set the claim's interval against the estimate of its metric.

    holds: the estimate's 95% interval lies inside; fails: it lies outside; undecided: it
    straddles a bound, or there are fewer than 3 repeats; not measured: the metric is absent.
    A plain number is its own interval (an exact identity); repeats get `stats.mean_interval`.
    """
    if claim.metric not in summary:
        return Judgement(claim, None, None, None, 0, "not measured")
    value, low, high, n = estimate(summary[claim.metric])
    if low is None or high is None:
        return Judgement(claim, value, None, None, n, "undecided")
    floor = -np.inf if claim.low is None else claim.low
    ceiling = np.inf if claim.high is None else claim.high
    inside, outside = floor <= low and high <= ceiling, high < floor or ceiling < low
    verdict: Verdict = "holds" if inside else "fails" if outside else "undecided"
    return Judgement(claim, value, low, high, n, verdict)


def estimate(value: Any) -> tuple[float, float | None, float | None, int]:
    """(value, low, high, n) of one summary entry; no interval for fewer than 3 repeats."""
    if isinstance(value, Estimate):
        return float(value.value), float(value.low), float(value.high), 1
    if np.ndim(value) == 0:
        return float(value), float(value), float(value), 1
    repeats = np.asarray(value, float)
    if len(repeats) < stats.MIN_REPEATS:
        return float(repeats.mean()), None, None, len(repeats)
    low, high = stats.mean_interval(repeats)
    return float(repeats.mean()), low, high, len(repeats)


def verdict_row(judgement: Judgement) -> dict[str, Any]:
    """A judgement as one flat JSON object: the claim's fields (low, high are `expected_…`)."""
    claim = judgement.claim._asdict()
    expected = {f"expected_{k}": claim.pop(k) for k in ("low", "high")}
    measured = {k: v for k, v in judgement._asdict().items() if k != "claim"}
    return claim | expected | measured
