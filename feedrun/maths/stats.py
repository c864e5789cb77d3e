"""Interval estimates over repeats, and of a probability from counts.

What `scipy.stats` gives is imported where it is called: that alone takes a second, and a page of
results that has no such interval should not wait for it.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, ndtr, stdtrit

MIN_REPEATS = 3
"""Fewer repeats than this give no interval."""

SMALL = 8
"""Below this many repeats no bootstrap of the mean reaches its nominal coverage."""

REMEMBERED = 50
"""Up to so many repeats the resamples are kept for the next call (4 MB): four times as fast."""


def mean_interval(
    values: np.ndarray, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Two-sided confidence interval for the mean of independent repeats, values (R,).

    From 8 repeats on the percentile bootstrap with Hesterberg's (2015, sec. 5.3) small-sample
    widening (the percentile at which normal values give the width of the t interval). Below,
    resamples of so few values cannot reach far enough (the widest possible interval, [min, max],
    covers 75% at R = 3): Student's t. Deterministic for a given seed. Raises ValueError for fewer
    than 3 repeats or non-finite values.
    """
    values = np.asarray(values, float)
    repeats = len(values)
    if repeats < MIN_REPEATS:
        raise ValueError(f"an interval needs {MIN_REPEATS} repeats or more, got {repeats}")
    if not np.isfinite(values).all():
        raise ValueError(f"repeats must be finite, got {values.tolist()}")
    quantile = stdtrit(repeats - 1, (1 + level) / 2)
    if repeats < SMALL:
        half = quantile * values.std(ddof=1) / np.sqrt(repeats)
        return float(values.mean() - half), float(values.mean() + half)
    tail = float(ndtr(-quantile * np.sqrt(repeats / (repeats - 1))))
    return bootstrap_interval(values, tail=tail, resamples=resamples, seed=seed)


def bootstrap_interval(
    values: np.ndarray, *, tail: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Percentile interval of the resampled mean, leaving out `tail` on each side."""
    if len(values) <= REMEMBERED:
        means = _counts(len(values), resamples, seed) @ values / len(values)
    else:
        means = values[_picks(len(values), resamples, seed)].mean(axis=1)
    # Rounding must not move a mean out of the range of its values: equal ones have no width.
    low, high = np.quantile(means.clip(values.min(), values.max()), [tail, 1 - tail])
    return float(low), float(high)


def median_interval(values: np.ndarray, *, level: float = 0.95) -> tuple[float, float]:
    """Order statistics between which the median lies with probability `level` or more.

    Exact for any law of independent values (R,): how many are below the median is
    Binomial(R, 1/2). Values may be infinite (censored). Raises ValueError for fewer than 6
    repeats, whose extremes are not far enough apart for 95%.
    """
    values = np.sort(np.asarray(values, float))
    below = bdtr(np.arange(len(values)), len(values), 0.5)
    rank = int(np.sum(below <= (1 - level) / 2))
    if rank == 0:
        raise ValueError(f"a {level:.0%} interval needs more than {len(values)} repeats")
    return float(values[rank - 1]), float(values[-rank])


def quantile_width(
    values: np.ndarray, *, low: float, high: float, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Distance of two quantiles of values (R,), and its 95% percentile bootstrap interval."""
    values = np.asarray(values, float)
    rng = np.random.default_rng(seed)
    picks = values[rng.integers(0, len(values), (resamples, len(values)))]
    ends = np.quantile(picks, [low, high], axis=1)
    below, above = np.quantile(ends[1] - ends[0], [0.025, 0.975])
    first, last = np.quantile(values, [low, high])
    return float(last - first), float(below), float(above)


@lru_cache(maxsize=4)
def _counts(repeats: int, resamples: int, seed: int) -> np.ndarray:
    """How often each resample draws each repeat, (resamples, repeats): whole numbers as floats."""
    places = _picks(repeats, resamples, seed) + repeats * np.arange(resamples)[:, None]
    counts = np.bincount(places.ravel(), minlength=resamples * repeats)
    return counts.reshape(resamples, repeats).astype(float)


def _picks(repeats: int, resamples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, repeats, (resamples, repeats))


def proportion_interval(successes: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval for a probability (Clopper and Pearson, 1934): never too narrow.

    Raises ValueError for more successes than trials.
    """
    from scipy.stats import binomtest

    low, high = binomtest(successes, trials).proportion_ci(level, method="exact")
    return float(low), float(high)


def iqm(values: np.ndarray) -> float:
    """Interquartile mean: the mean of what is left without the lowest and highest quarter.

    floor(R / 4) values fall on each side, as in rliable (Agarwal et al. 2021, arXiv 2108.13264).
    """
    from scipy.stats import trim_mean

    return float(trim_mean(np.asarray(values, float).ravel(), 0.25))


def stratified_iqm_interval(
    strata: Sequence[np.ndarray], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the interquartile mean of all values of all strata.

    Each resample draws as many values of a stratum as it has (rliable's stratified bootstrap:
    there the strata are the tasks). Deterministic for a given seed.
    """
    from scipy.stats import trim_mean

    rng = np.random.default_rng(seed)
    drawn = [
        values[rng.integers(0, len(values), (resamples, len(values)))]
        for values in (np.asarray(stratum, float) for stratum in strata)
    ]
    means = trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
