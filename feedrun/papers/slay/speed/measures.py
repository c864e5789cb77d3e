"""Numbers out of times and bytes at several lengths; NaN where nothing was measured."""

import numpy as np
from jaxtyping import Float

from feedrun.maths import fits

Curve = Float[np.ndarray, "L"]


def slope(lengths: Curve, values: Curve, *, least: float = 0.0) -> float | None:
    """Log-log slope over lengths from `least` on; None for fewer than three points."""
    use = np.isfinite(values) & (lengths >= least)
    if use.sum() < 3:
        return None
    return float(fits.log_slope(lengths[use], values[use]))


def crossover(lengths: Curve, ours: Curve, theirs: Curve) -> float | None:
    """The length from which on `ours` is less, by interpolation of the logarithms.

    The shortest length where it is less everywhere, None where it is not at the longest that both
    reach.
    """
    both = np.isfinite(ours) & np.isfinite(theirs)
    gap, log = np.log(ours[both] / theirs[both]), np.log(lengths[both])
    if not len(gap) or gap[-1] >= 0:
        return None
    if (gap < 0).all():
        return float(np.exp(log[0]))
    i = int(np.flatnonzero(gap >= 0)[-1])
    share = gap[i] / (gap[i] - gap[i + 1])
    return float(np.exp(log[i] + share * (log[i + 1] - log[i])))


def more_a_token(lengths: Curve, values: Curve) -> float | None:
    """Growth a token between the two longest lengths that were measured."""
    known = np.flatnonzero(np.isfinite(values))[-2:]
    if len(known) < 2:
        return None
    return float(np.diff(values[known])[0] / np.diff(lengths[known])[0])


def longest(lengths: Curve, values: Curve, limit: float) -> float | None:
    """The length at which `values` reach a limit, the last two known continued as a power law."""
    known = np.flatnonzero(np.isfinite(values))[-2:]
    if len(known) < 2:
        return None
    x, y = np.log(lengths[known]), np.log(values[known])
    return float(np.exp(x[1] + (np.log(limit) - y[1]) * (x[1] - x[0]) / (y[1] - y[0])))
