"""Straight lines, and parabolas in log-log coordinates, by ordinary least squares.

In `power_law` and `log_parabola` points where either coordinate is not positive carry no weight;
nothing takes logs of |x|.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Scalar = Float[Array, ""]


class Line(NamedTuple):
    """log10 y = intercept + slope log10 x, with the squared correlation r2 of the two logs."""

    slope: Scalar
    intercept: Scalar
    r2: Scalar


class Parabola(NamedTuple):
    """log10 y = height + slope u + curvature u^2 with u = log10 x - centre (centre: mean)."""

    curvature: Scalar
    slope: Scalar
    height: Scalar
    centre: Scalar


def positive(x: Float[Array, "K"], y: Float[Array, "K"]) -> Bool[Array, "K"]:
    """Which points have two positive coordinates."""
    return (x > 0) & (y > 0)


def power_law(x: Float[Array, "K"], y: Float[Array, "K"]) -> Line:
    """The power law y = 10^intercept x^slope through the positive points."""
    u, v, w = _centred_logs(x, y)
    suu, suv, svv = w @ u**2, w @ (u * v), w @ v**2
    slope = suv / suu
    x0, y0 = _log_means(x, y)
    return Line(slope, y0 - slope * x0, suv**2 / (suu * svv))


def log_parabola(x: Float[Array, "K"], y: Float[Array, "K"]) -> Parabola:
    """The same with a quadratic term; its local exponent is slope + 2 curvature u."""
    u, v, w = _centred_logs(x, y)
    basis = jnp.stack([u**2, u, jnp.ones_like(u)])
    coefficients = jnp.linalg.solve((basis * w[None]) @ basis.T, basis @ (w * v))
    x0, y0 = _log_means(x, y)
    return Parabola(coefficients[0], coefficients[1], y0 + coefficients[2], x0)


def decades(x: Float[Array, "K"]) -> Scalar:
    """How many powers of ten the positive entries of x span."""
    low = jnp.where(x > 0, x, jnp.inf).min()
    return jnp.log10(x.max() / low)


def slope(t: Float[Array, "N"], y: Float[Array, "N"], keep=None) -> Float[Array, ""]:
    """Least-squares slope of y against t over the points marked `keep` (all where None)."""
    keep = jnp.ones_like(t) if keep is None else keep.astype(t.dtype)
    y = jnp.where(keep > 0, y, 0)
    centred = keep * (t - jnp.sum(keep * t) / jnp.sum(keep))
    return jnp.sum(centred * y) / jnp.sum(centred * t)


def log_slope(x: Float[np.ndarray, "N"], y: Float[np.ndarray, "N *K"]):
    """Exponent of the power law through positive points, a number for each column of y.

    On the host, by numpy's least squares; any logarithm gives the same.
    """
    return np.polyfit(np.log(x), np.log(y), 1)[0]


def _log_means(x, y):
    """Mean log10 of both coordinates over the positive points."""
    keep = positive(x, y)
    logs = [jnp.where(keep, jnp.log10(jnp.where(keep, z, 1)), 0) for z in (x, y)]
    return tuple(z.sum() / keep.sum(dtype=x.dtype) for z in logs)


def _centred_logs(x, y):
    """Centred log10 of both coordinates and the points' 0/1 weights."""
    keep = positive(x, y)
    u, v = (
        jnp.where(keep, jnp.log10(jnp.where(keep, z, 1)) - mean, 0)
        for z, mean in zip((x, y), _log_means(x, y), strict=True)
    )
    return u, v, keep.astype(x.dtype)
