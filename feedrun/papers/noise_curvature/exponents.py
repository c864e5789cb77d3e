"""The paper's fits of one set of diagonals, with bootstrap intervals."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from feedrun.maths import fits, resampling
from feedrun.maths.curvature import Diagonals, Projections, diagonals

Scalar = Float[Array, ""]

ALIVE = 1e-10
"""Directions below this share of the largest curvature are numerically flat and left out."""

LEVEL = 0.95


class Exponents(NamedTuple):
    """gamma_emp: C vs H; gamma_e2: E2 vs H; c_vs_e2: C vs E2. Slopes of log10, and their r2."""

    gamma_emp: Float[Array, "*R"]
    gamma_e2: Float[Array, "*R"]
    c_vs_e2: Float[Array, "*R"]
    r2_emp: Float[Array, "*R"]
    r2_e2: Float[Array, "*R"]
    r2_c_vs_e2: Float[Array, "*R"]


@jax.jit
def exponents(d: Diagonals) -> Exponents:
    """Least squares in log10 over the directions given; flat ones count nothing."""
    C, H, E2 = alive(d)
    emp, e2, ce = fits.power_law(H, C), fits.power_law(H, E2), fits.power_law(E2, C)
    return Exponents(emp.slope, e2.slope, ce.slope, emp.r2, e2.r2, ce.r2)


def alive(d: Diagonals) -> Diagonals:
    """The diagonals with flat directions set to 0, which no fit counts."""
    floor = ALIVE * d.H.max()
    return Diagonals(*(jnp.where(floor < d.H, x, 0) for x in d))


@jax.jit
def layerwise(d: Diagonals) -> tuple[Scalar, Scalar]:
    """(gamma_emp, gamma_e2) as in the supplement's figure of layers, from all directions.

    Of the directions, stiffest first, those below the 5th percentile of either log are dropped,
    then the first 80% are fitted; so layers of different size are treated alike.
    """
    C, H, E2 = alive(d)
    emp, e2 = (fits.power_law(jnp.where(_upper(H, A), H, 0), A).slope for A in (C, E2))
    return emp, e2


def _upper(x: Float[Array, "K"], y: Float[Array, "K"]) -> Bool[Array, "K"]:
    """The first 80% of the points that are not below the 5th percentile of either log."""
    keep = positive = fits.positive(x, y)
    for z in (x, y):
        log = jnp.where(positive, jnp.log10(jnp.where(positive, z, 1)), jnp.nan)
        keep &= log >= jnp.nanpercentile(log, 5)
    return keep & (jnp.cumsum(keep) <= 0.8 * keep.sum())


def unfitted(d: Diagonals) -> Int[Array, ""]:
    """How many of the directions no fit counts, because their H_ii is flat or negative."""
    return (alive(d).H == 0).sum()


def median_ratio(d: Diagonals) -> Scalar:
    """The median of C_ii / E2_ii over the directions that are fitted."""
    d = alive(d)
    return jnp.nanmedian(jnp.where(d.E2 > 0, d.C / d.E2, jnp.nan))


@partial(jax.jit, static_argnames="count")
def replicates(key, q: Projections, *, count: int) -> Exponents:
    """Bootstrap over samples in a fixed basis, Poisson weights: `count` values of each exponent."""
    weights = resampling.poisson_weights(key, q.g[:, 0], replicates=count)
    return jax.vmap(exponents)(diagonals(q, weights))


@jax.jit
def gamma_intervals(draws: Exponents) -> Float[Array, "2 2"]:
    """Central 95% of the replicates of gamma_emp and of gamma_e2: rows of (low, high)."""
    gammas = draws.gamma_emp, draws.gamma_e2
    return jnp.stack([jnp.stack(resampling.percentile_interval(g, level=LEVEL)) for g in gammas])


@jax.jit
def bend(d: Diagonals) -> tuple[Scalar, Scalar]:
    """(quadratic term of log C in log H, slope over the stiffest tenth less slope over all)."""
    C, H, _ = alive(d)
    tenth = max(2, len(H) // 10)
    stiff = fits.power_law(H[:tenth], C[:tenth]).slope
    return fits.log_parabola(H, C).curvature, stiff - fits.power_law(H, C).slope
