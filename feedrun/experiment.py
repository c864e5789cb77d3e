"""The contract between an experiment and everything around it: Claim, Result, Journal, judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from feedrun.maths import stats

Origin = Literal["paper", "derived", "rival"]
Verdict = Literal["holds", "fails", "undecided", "not measured"]
T = TypeVar("T")

Elsewhere = Field(exclude=True)
"""Mark a config field that cannot change the result (`folder: Annotated[str, Elsewhere]`).

Such a field is no part of the config id.
"""


class Config(BaseModel):
    """What every experiment's config inherits: frozen, complete, no unknown key, no NaN.

    `steps=1e4` is the integer 10000, `steps=1.5` an error. Fields carry no defaults: the yaml is
    complete. (Inheritance, because pydantic offers no other way to share these four switches.)
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False
    )


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


class Result(NamedTuple):
    """What a run ends with.

    summary: metric name -> a number (exact quantities), one number a repeat, or an Estimate.
    arrays:  what the figures are drawn from, numpy arrays by name.
    notes:   anything else worth keeping that fits JSON: which data, how many points were dropped.
             notes["chance"], a mapping of metrics to what guessing would give (the share of the
             majority class, the loss of a uniform guess), becomes a column in tables.
    """

    summary: Summary
    arrays: Mapping[str, np.ndarray]
    notes: Mapping[str, Any] = {}


class Journal(NamedTuple):
    """All that an experiment may do to the outside while it runs.

    log(step, metrics):      write one row of named finite numbers (a repeat axis is a list).
    progress(done, total, metrics={}): move the bar; costs nothing when called often.
    save(step, state, final=False) -> bool: checkpoint a pytree (arrays, typed keys); the runner
                             skips saves that come too soon after the last one unless `final`.
    restore(like):           (step, state) of the last checkpoint, or None; `like` gives the tree.
    scope(name):             the same journal for one part of the run: its metrics are written as
                             "name/metric", its steps count from 0, its checkpoint is its own.
    """

    log: Callable[[int, Mapping[str, Any]], None]
    progress: Callable[..., None]
    save: Callable[..., bool]
    restore: Callable[[Any], tuple[int, Any] | None]
    scope: Callable[[str], Journal]


def silent_journal(log: Callable[[int, Mapping[str, Any]], None] | None = None) -> Journal:
    """A journal that keeps nothing (or hands its rows to `log`): for tests and benchmarks."""
    journal = Journal(
        log=log or (lambda step, metrics: None),
        progress=lambda done, total, metrics=None: None,
        save=lambda step, state, final=False: False,
        restore=lambda like: None,
        scope=lambda name: journal,
    )
    return journal


class Experiment(NamedTuple):
    """An experiment module's one export, named by `_target_` in its yaml.

    run(cfg, key, journal) does the work; figures(result) draws: file stem -> matplotlib Figure
    (saved as PNG) or Animation (saved as GIF), from summary and arrays alone, so that they can be
    drawn again from the record. `x64` asks for float64 while this experiment runs.

    many(cfgs, keys, journal) -> a Result a run does several runs in one compiled program, where
    their configs differ only in `numbers` (dotted keys of values that change no shape) and seeds;
    see `feedrun.together`.

    reduce(results) draws a sweep: from a list of (config, Result) of its finished runs, in any
    order, to file stem -> Figure, as `figures` does for one run; of what it cannot draw (too few
    points of the grid) it leaves the figure out. Of a Result it gets what a record keeps.
    """

    config: type[Config]
    run: Callable[[Any, Any, Journal], Result]
    claims: tuple[Claim, ...]
    figures: Callable[[Result], Mapping[str, Any]]
    reduce: Callable[[Sequence[tuple[Any, Result]]], Mapping[str, Any]] | None = None
    x64: bool = False
    many: Callable[[Any, Any, Journal], list[Result]] | None = None
    numbers: tuple[str, ...] = ()


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
