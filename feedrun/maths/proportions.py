"""Interval estimates of a probability from counts."""

from scipy.special import betaincinv


def clopper_pearson(successes: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval for a probability (Clopper and Pearson, 1934): never too narrow."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"got {successes} successes in {trials} trials")
    tail = (1 - level) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return float(low), float(high)
