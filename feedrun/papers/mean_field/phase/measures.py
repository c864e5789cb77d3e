"""What the curves of a run say: crossing times, their spread, final rates (host, numpy)."""

import numpy as np
from jaxtyping import Float

from feedrun.experiment import Estimate
from feedrun.maths import stats
from feedrun.papers.mean_field.phase import schemes
from feedrun.papers.mean_field.phase.flow import MET
from feedrun.papers.mean_field.phase.schemes import Name

WINDOW = (1e-10, 1e-6)
"""Mean gaps between which a final rate is fitted: late enough for the law, above rounding."""

DEEP = 500.0
"""Power laws are fitted from this depth on: they hold for t + const, whose const must be small."""

ROOM = 10.0
"""Own time from gaps of 1e-3 to the end of the window (ln 1e7 / 2 = 8.1) and a little more."""

NEAR = 1.5
"""Up to so many predicted crossing times (and ROOM) times are logged closely."""


def moments(predicted: float, horizon: float, rows: int) -> np.ndarray:
    """Own times from 0: two thirds of them close to the predicted crossing, the rest beyond."""
    near = NEAR * predicted + ROOM
    close = 2 * rows // 3
    far = np.linspace(near, max(horizon * predicted, 1.2 * near), rows - close + 1)[1:]
    return np.concatenate([np.linspace(0, near, close), far])


def crossings(times: Float[np.ndarray, "S"], medians: Float[np.ndarray, "R S"]) -> np.ndarray:
    """Own time at which half of the pairs have met, one a start; inf where they never have.

    Between rows the logarithm of the median gap is taken to be linear, as it is near the end.
    No pair may have met at the first time.
    """
    crossed = np.full(len(medians), np.inf)
    for r in np.flatnonzero((medians < MET).any(axis=1)):
        k = int(np.argmax(medians[r] < MET))
        before, after = np.log(medians[r, k - 1 : k + 1])
        share = (before - np.log(MET)) / (before - after)
        crossed[r] = times[k - 1] + share * (times[k] - times[k - 1])
    return crossed


def median(values: np.ndarray) -> Estimate | None:
    """The median with its exact interval; None where that reaches starts that never crossed."""
    low, high = stats.median_interval(values)
    return Estimate(float(np.median(values)), low, high) if np.isfinite(high) else None


def width(values: np.ndarray) -> Estimate | None:
    """From the 10% to the 90% quantile; None where that reaches starts that never crossed."""
    crossed = values[np.isfinite(values)]
    if len(crossed) < len(values):
        return None
    return Estimate(*stats.quantile_width(crossed, low=0.1, high=0.9))


def law_time(u: np.ndarray, switch: float, *, scheme: Name) -> np.ndarray:
    """The time in which ln(1 - rho) ends as a straight line: t, sqrt t or ln t."""
    log_t = schemes.log_depth(u, switch, scheme=scheme)
    law = schemes.SCHEMES[scheme].law
    if law == "exponential":
        return np.exp(log_t)
    return np.exp(log_t / 2) if law == "root" else log_t


def final_rate(u: np.ndarray, gap: np.ndarray, switch: float, *, scheme: Name) -> float | None:
    """Slope of ln(gap) against the scheme's `law_time` in WINDOW; None for fewer than 3 points."""
    inside = (gap > WINDOW[0]) & (gap < WINDOW[1])
    if schemes.SCHEMES[scheme].law in ("square", "inverse"):
        inside[inside] = schemes.log_depth(u[inside], switch, scheme=scheme) >= np.log(DEEP)
    if inside.sum() < 3:
        return None
    x = law_time(u[inside], switch, scheme=scheme)
    return float(np.polyfit(x - x.mean(), np.log(gap[inside]), 1)[0])
