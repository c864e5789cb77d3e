"""Bayes predictors of the families with regressors, in closed form at every position.

x is (T, D, B) and y (T, B), the batch last.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from feedrun.maths import kalman_lanes, mixture
from feedrun.maths.kalman_lanes import Lanes, Moments
from feedrun.maths.mixture import Filters, Mixed
from feedrun.papers.ssm_icl.families.linear_gaussian_oracles import SLAB, in_slabs
from feedrun.papers.ssm_icl.families.regression import NOISE


class Regressed(NamedTuple):
    """A Bayesian regression at every position, (T, B): predictions of y_t and their variances.

    `spread` is tr P and `leverage` x_{t-1}^T P x_{t-1}, P the covariance of w before y_t.
    """

    mean: Float[Array, "T B"]
    var: Float[Array, "T B"]
    spread: Float[Array, "T B"]
    leverage: Float[Array, "T B"]


def coloured_regression(
    x: Float[Array, "T D B"], y: Float[Array, "T B"], rho: Float[Array, "B"]
) -> Regressed:
    """The Bayes predictor of CNR for a known correlation of the noise, exact.

    Whitened rows x_t - rho x_{t-1} have independent noise of variance (1 - rho^2)/4; the first row
    is multiplied by sqrt(1 - rho^2). So E[y_t] = (x_t - rho x_{t-1}).m_t + rho y_{t-1}.
    """
    before_x, before_y = _before(x), _before(y)
    first = _first(rho, len(y))
    white_x, white_y = (
        first[:, None] * (x - rho[None, None] * before_x),
        first * (y - rho[None] * before_y),
    )
    own = _static(white_x, noise=(1 - rho**2) * NOISE)
    rows, moments = kalman_lanes.run(own, white_y[:, None])
    return Regressed(
        rows.mean[:, 0] / first + rho[None] * before_y,
        rows.var[:, 0] / first**2,
        jax.vmap(kalman_lanes.trace)(moments),
        jax.vmap(kalman_lanes.quadratic)(moments, before_x),
    )


def drifting_regression(
    x: Float[Array, "T D B"], y: Float[Array, "T B"], a: Float[Array, "B"]
) -> Regressed:
    """The Kalman filter of DR: w_{t+1} = a w_t + noise; ridge with penalty D/4 at a = 1."""
    d = x.shape[1]
    own = _static(x, noise=jnp.broadcast_to(jnp.asarray(NOISE, y.dtype), a.shape))
    A = jnp.broadcast_to(a, (d, len(a)))
    own = own._replace(A=A, q=(1 - A**2) / d)
    rows, moments = kalman_lanes.run(own, y[:, None])
    spread = jax.vmap(kalman_lanes.trace)(moments)
    leverage = jax.vmap(kalman_lanes.quadratic)(moments, _before(x))
    return Regressed(rows.mean[:, 0], rows.var[:, 0], spread, leverage)


def _static(x: Float[Array, "T D B"], *, noise: Float[Array, "B"]) -> Lanes:
    """Regression on rows x as a state that stands still, w ~ N(0, I/D)."""
    _, d, count = x.shape
    nothing = jnp.zeros((d, count), x.dtype)
    prior = jnp.broadcast_to(jnp.eye(d, dtype=x.dtype)[..., None] / d, (d, d, count))
    return Lanes(nothing + 1, x[:, None], nothing, noise[None], nothing, prior)


def _before(x: Array) -> Array:
    """x_{t-1} at t along the first axis, zeros at the first."""
    return jnp.concatenate([jnp.zeros_like(x[:1]), x[:-1]])


def _first(rho: Array, length: int) -> Array:
    """(T, B): sqrt(1 - rho^2) at t = 1, 1 after."""
    ones = jnp.ones((length, *rho.shape), rho.dtype)
    return ones.at[0].set(jnp.sqrt(1 - rho**2))


def unknown_correlation(
    x: Float[Array, "B T D"], y: Float[Array, "B T"], rhos: Float[Array, "G"], *, slab: int = SLAB
) -> Mixed:
    """The Bayes predictor of CNR where rho is uniform over `rhos`, exact; results (B, T).

    One whitened regression per rho, mixed by their likelihoods (the Jacobian of the whitening is
    the first row's factor, which the variance carries). O(B T G D^2).
    """
    models, log_prior = rhos[:, None, None], jnp.full((len(rhos), 1), -jnp.log(len(rhos)), y.dtype)

    def mixed(rows: Float[Array, "S T E"]) -> Mixed:
        y, x = rows[..., 0].T, rows[..., 1:].transpose(1, 2, 0)
        seen = (x, _before(x), _before(y), jnp.zeros_like(y).at[0].set(1))
        filters = Filters(partial(_whitened_start, x.shape[1], len(rows), y.dtype), _whitened_step)
        return mixture.mixture(filters, models, log_prior, seen, y)

    return in_slabs(mixed, jnp.concatenate([y[..., None], x], axis=-1), slab=slab)


def _whitened_start(d: int, count: int, dtype, rho: Array) -> Moments:
    """The prior of w for every hypothesis (1) and sequence."""
    own = _static(jnp.zeros((1, d, count), dtype), noise=jnp.ones(count, dtype))
    moments = kalman_lanes.start(own, (count,))
    return Moments(moments.mean[:, None], moments.upper[:, None])


def _whitened_step(rho: Array, moments: Moments, seen, y):
    """One row of the regression that believes in rho, (1, 1)."""
    x, before_x, before_y, first = seen
    scale = jnp.where(first[None] > 0, jnp.sqrt(1 - rho**2), 1)
    C = scale[None] * (x[:, None] - rho[None] * before_x[:, None])
    target = scale * (y[None] - rho * before_y[None])
    ones, nothing = jnp.ones((len(x), 1, 1), y.dtype), jnp.zeros((len(x), 1, 1), y.dtype)
    noise = (1 - rho**2)[None] * NOISE
    moments, (mean, var) = kalman_lanes.step(moments, ones, C[None], nothing, noise, target[None])
    return moments, mean[0] / scale + rho * before_y[None], var[0] / scale**2


def state_form(rho: Float[Array, "B"], x: Float[Array, "T D B"], *, white: float) -> Lanes:
    """CNR as a Kalman filter on the state (w, eps), with variance `white` of extra noise on y."""
    _, d, count = x.shape
    ones, nothing = jnp.ones((d, count), x.dtype), jnp.zeros((d, count), x.dtype)
    C = jnp.concatenate([x, jnp.ones_like(x[:, :1])], axis=1)[:, None]
    cov = jnp.diag(jnp.concatenate([jnp.full((d,), 1 / d), jnp.full((1,), NOISE)]))
    return Lanes(
        jnp.concatenate([ones, rho[None]]),
        C,
        jnp.concatenate([nothing, (1 - rho**2)[None] * NOISE]),
        jnp.full((1, count), white, x.dtype),
        jnp.zeros((d + 1, count), x.dtype),
        jnp.broadcast_to(cov.astype(x.dtype)[..., None], (d + 1, d + 1, count)),
    )


def noise_filter(rho: Float[Array, "B"], *, white: float) -> Lanes:
    """The AR(1) noise of CNR alone, seen with variance `white` of extra noise."""
    one = jnp.ones((1, len(rho)), rho.dtype)
    return Lanes(
        rho[None], one[None], (1 - rho**2)[None] * NOISE, white * one, 0 * one, NOISE * one[None]
    )
