"""The paper's fits of one set of diagonals, with bootstrap intervals."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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
