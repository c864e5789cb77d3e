"""Families with regressors: coloured-noise regression, drifting regression, autoregression.

    CNR   y_t = w.x_t + eps_t, eps an AR(1) process of variance 1/4 and correlation rho
    DR    y_t = w_t.x_t + N(0, 1/4), w_{t+1} = a w_t + sqrt(1 - a^2) N(0, I/D)
    ARc   y_{t+1} = phi.(y_t .. y_{t-p+1}) + N(0, 1), phi ~ N(0, s^2 I): Bayes is ridge

Sizes are our own: the paper's are not known. Token formats, for regressors of D numbers:

    lag          [x_t, x_{t-1}, y_{t-1}, 1{t=1}]    all lags given: only inference is left to do
    shift        [x_t, y_{t-1}, 1{t=1}]             x_{t-1} has to be paired with y_{t-1}
    interleaved  [x_t, 0, 0], [0.., y_t, 1]         two tokens a step; predictions at the first
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths.draws import normals
from feedrun.papers.ssm_icl.families import base
from feedrun.papers.ssm_icl.families.base import Batch, Scalar

Format = Literal["lag", "shift", "interleaved"]
REGRESSORS, NOISE = 5, 0.25
"""Dimension D of x, variance of the noise of CNR and DR; E |w|^2 = 1 in both."""

AR_LAGS, AR_DEVIATION, AR_BOUND = 2, 0.2, 30.0
"""ARc: order p, standard deviation s of phi, |y| beyond which a sequence is dropped."""


class Line(NamedTuple):
    """Task of CNR: weights (B, D) and the correlation rho (B,) of its noise."""

    w: Float[Array, "B D"]
    rho: Float[Array, "B"]


def rho_grid(*, points: int = 39, bound: float = 0.95) -> Float[Array, "G"]:
    """The prior of CNR-mix: uniform on evenly spaced correlations."""
    return jnp.linspace(-bound, bound, points)


def ar1(draws: Float[Array, "T ..."], rho: Float[Array, "..."] | Scalar) -> Float[Array, "T ..."]:
    """Stationary AR(1) processes of variance 1 from standard normal draws, time first."""
    scale = jnp.sqrt(1 - jnp.asarray(rho) ** 2)

    def body(e, u):
        after = rho * e + scale * u
        return after, after

    _, rest = jax.lax.scan(body, draws[0], draws[1:])
    return jnp.concatenate([draws[:1], rest])


def coloured_sampler(
    rhos: Float[Array, "G"], *, regressor_rho: Scalar, white: float, tokens: Format
) -> Callable[..., Batch]:
    """sample of CNR: rho uniform over `rhos`, regressors AR(regressor_rho) in every coordinate.

    `white` is the variance of an independent noise on top of the coloured one.
    """

    def sample(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        rho_key, normal_key = jax.random.split(key)
        rho = rhos[jax.random.randint(rho_key, (count,), 0, len(rhos))]
        each, times = (count, REGRESSORS), (length, count)
        w, x, noise, extra = normals(normal_key, [each, (length, *each), times, times])
        w, x = w / REGRESSORS**0.5, ar1(x, regressor_rho)
        noise, extra = NOISE**0.5 * ar1(noise, rho), white**0.5 * extra
        signal = jnp.sum(w[None] * x, axis=-1)
        hidden = {"signal": signal.T[..., None], "noise": noise.T[..., None]}
        return _batch(x, signal + noise + extra, Line(w, rho), hidden, tokens)

    return sample


def drifting_sampler(a: Scalar, *, tokens: Format) -> Callable[..., Batch]:
    """sample of DR: weights that forget at rate a (1: they stay)."""

    def sample(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        full = (length, count, REGRESSORS)
        w, x, noise = normals(key, [full, full, full[:2]])
        w = ar1(w, a) / REGRESSORS**0.5
        signal = jnp.sum(w * x, axis=-1)
        y = signal + NOISE**0.5 * noise
        hidden = {"signal": signal.T[..., None], "weights": w.transpose(1, 0, 2)}
        return _batch(x, y, jnp.full((count,), a), hidden, tokens)

    return sample


def autoregression_sampler() -> Callable[..., Batch]:
    """sample of ARc; token t is (y_{t-1}, 1{t = 1}), regressors are the p last values."""

    def sample(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        phi, u = normals(key, [(AR_LAGS, count), (length, count)])
        phi = AR_DEVIATION * phi

        def body(lags, u):
            y = jnp.sum(phi * lags, axis=0) + u
            return jnp.concatenate([y[None], lags[:-1]]), (lags, y)

        _, (lags, y) = jax.lax.scan(body, jnp.zeros((AR_LAGS, count)), u)
        kept = (jnp.abs(y).max(axis=0) <= AR_BOUND).astype(y.dtype)
        y, lags = jnp.where(kept[None] > 0, y, 0), jnp.where(kept[None, None] > 0, lags, 0)
        targets = y.T[..., None]
        flags = base.first_flag(targets)
        inputs = jnp.concatenate([base.shifted(targets), flags], axis=-1)
        return Batch(inputs, targets, kept, lags.transpose(2, 0, 1), phi.T, {})

    return sample


def width(tokens: Format) -> int:
    """Numbers in a token of a family with REGRESSORS regressors."""
    return {"lag": 2 * REGRESSORS + 2, "shift": REGRESSORS + 2, "interleaved": REGRESSORS + 2}[
        tokens
    ]


def _batch(x, y, task: Any, hidden: Any, tokens: Format) -> Batch:
    """A batch from regressors (T, B, D) and values (T, B)."""
    x, y = x.transpose(1, 0, 2), y.T[..., None]
    return Batch(tokenised(x, y, tokens=tokens), y, jnp.ones(len(y)), x, task, hidden)


def tokenised(
    x: Float[Array, "B T D"], y: Float[Array, "B T 1"], *, tokens: Format
) -> Float[Array, "B S I"]:
    """The inputs of a model in one of the three formats above."""
    if tokens == "interleaved":
        nothing = jnp.zeros_like(y)
        first = jnp.concatenate([x, nothing, nothing], axis=-1)
        second = jnp.concatenate([jnp.zeros_like(x), y, nothing + 1], axis=-1)
        return jnp.stack([first, second], axis=2).reshape(len(y), -1, x.shape[-1] + 2)
    past = [base.shifted(y), base.first_flag(y)]
    lag = [base.shifted(x)] if tokens == "lag" else []
    return jnp.concatenate([x, *lag, *past], axis=-1)
