"""Samples whose law is known in advance, put through the estimators that measure the network."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import curvature, fits, spectra
from feedrun.papers.noise_curvature import theory
from feedrun.papers.noise_curvature.exponents import alive, exponents


def measured(key, *, planted: int, softmax: int, dependent: int, draws: int) -> dict[str, float]:
    """One value each of the controls with so many samples; `draws` average out heavy tails."""
    planted_key, softmax_key, dependent_key = jax.random.split(key, 3)
    values = {
        **_planted(planted_key, samples=planted),
        **_softmax(softmax_key, samples=softmax),
        "dependent_recovered": _dependent(dependent_key, samples=dependent, draws=draws),
    }
    return {f"control_{name}": float(value) for name, value in values.items()}


@partial(jax.jit, static_argnames="samples")
def _planted(key, *, samples: int):
    """Quadratic wells with gamma = 1.4 and C = tau^2 E2: exponent's error, ratio of constants."""
    s, tau, q = 0.4, 0.5, jnp.logspace(-2, 0, 50)
    d = theory.planted_wells(key, q, samples=samples, s=s, tau=tau)
    return {
        "planted_error": exponents(d).gamma_emp - (1 + s),
        "planted_constant": jnp.median(d.C / (tau**2 * d.E2)),
    }


@partial(jax.jit, static_argnames="samples")
def _softmax(key, *, samples: int):
    """Labels drawn from the model: C = H, measured with the network's own moments and fit."""
    scale = jnp.logspace(-1, 0, 12)
    f = theory.well_specified_softmax(key, scale, samples=samples, classes=4)
    factors = lambda ay: theory.softmax_factors(f.W, *ay)  # noqa: E731
    m = curvature.moments(factors, (f.a, f.y), chunk=min(1000, samples))
    d = curvature.moment_diagonals(m, jnp.linalg.eigh(m.H)[1])
    curved = alive(d).H > 0
    ratio = jnp.where(curved, d.C / jnp.where(curved, d.H, 1), 0).sum() / curved.sum()
    return {"softmax_gamma": exponents(d).gamma_emp, "softmax_ratio": ratio}


@partial(jax.jit, static_argnames=("samples", "draws"))
def _dependent(key, *, samples: int, draws: int):
    """The share of a true excess over 1 that the cross-fit sees; the true axes see all of it."""
    at = jnp.arange(200) / 200
    bands = partial(theory.planted_bands, at=at, samples=samples, s=0.4, sigma=1.5, width=0.2)

    def draw(key):
        first, second = (bands(k) for k in jax.random.split(key))
        return _rank_one_slope(second, _basis(first)), _rank_one_slope(second, jnp.eye(len(at)))

    cross_fit, true = jax.lax.map(draw, jax.random.split(key, draws))
    return (cross_fit.mean() - 1) / (true.mean() - 1)


def independent(key, *, samples: int, sigma: float):
    """[in-sample exponent, cross-fit exponent, N_eff / D] of independent curvature: true gamma 1.

    The basis comes from one draw, the cross-fit's diagonals from a second one.
    """
    spectrum = jnp.logspace(0, -4, 200)
    draw = partial(theory.independent_curvature, samples=samples, sigma=sigma)
    first, second = (draw(k, spectrum) for k in jax.random.split(key))
    V = _basis(first)
    coverage = spectra.participation_ratio(first.kap) / len(spectrum)
    return jnp.stack([_rank_one_slope(first, V), _rank_one_slope(second, V), coverage])


def _basis(f: theory.RankOne):
    """The eigenvectors of H."""
    return jnp.linalg.eigh(theory.rank_one_moments(f)[0])[1]


def _rank_one_slope(f: theory.RankOne, V):
    """Slope of E2_ii against H_ii in the basis V."""
    H, E2 = ((V * (A @ V)).sum(0) for A in theory.rank_one_moments(f))
    return fits.power_law(H, E2).slope


@partial(jax.jit, static_argnames=("samples", "sigma", "draws"))
def _mean_independent(key, *, samples: int, sigma: float, draws: int):
    draw = partial(independent, samples=samples, sigma=sigma)
    return jax.lax.map(draw, jax.random.split(key, draws)).mean(0)


def independent_grid(
    keys, *, samples: Sequence[int], sigmas: Sequence[float], draws: int
) -> np.ndarray:
    """Means of `independent`: (repeat, sigma, samples, [in-sample, cross-fit, N_eff / D]).

    `draws` of the first size; larger ones scatter less and cost more, so they get fewer.
    """
    fewer = {n: max(1, draws * samples[0] // n) for n in samples}

    def row(key, sigma):
        each = zip(jax.random.split(key, len(samples)), samples, strict=True)
        return [_mean_independent(k, samples=n, sigma=sigma, draws=fewer[n]) for k, n in each]

    def table(key):
        each = zip(jax.random.split(key, len(sigmas)), sigmas, strict=True)
        return [row(k, sigma) for k, sigma in each]

    return np.array([table(key) for key in keys])
