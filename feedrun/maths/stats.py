"""Interval estimates over repeats."""

import numpy as np
from scipy.special import bdtr, ndtr, stdtrit

MIN_REPEATS = 3
"""Fewer repeats than this give no interval."""

SMALL = 8
"""Below this many repeats no bootstrap of the mean reaches its nominal coverage."""


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
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(values[picks].mean(axis=1), [tail, 1 - tail])
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
