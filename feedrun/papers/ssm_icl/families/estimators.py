"""In-context estimators that are not Bayes: least squares and gradient descent on the context.

Each is a predictor of a family: a batch in, (B, T, 1) out, all
positions at once. "Proper" ones answer w.x_t with w from the context; those on lags do not.
"""

from collections.abc import Callable
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from feedrun.maths import least_squares
from feedrun.papers.ssm_icl.families import base
from feedrun.papers.ssm_icl.families.base import Batch, Predictor

Rows = Literal["regressors", "arx"]


def zero(batch: Batch) -> Float[Array, "B T O"]:
    """The mean of the prior."""
    return jnp.zeros_like(batch.targets)


def last_value(batch: Batch) -> Float[Array, "B T O"]:
    """y_{t-1}."""
    return base.shifted(batch.targets)


def lags(y: Float[Array, "B T 1"], *, order: int) -> Float[Array, "B T P"]:
    """y_{t-1} .. y_{t-p}, zeros before the first."""
    columns = [y]
    for _ in range(order):
        columns.append(base.shifted(columns[-1]))
    return jnp.concatenate(columns[1:], axis=-1)


def arx_rows(batch: Batch) -> Float[Array, "B T E"]:
    """(x_t, x_{t-1}, y_{t-1}); the first row is zero, it has no lags."""
    x, y = batch.regressors, batch.targets
    rows = jnp.concatenate([x, base.shifted(x), base.shifted(y)], axis=-1)
    return rows.at[:, 0].set(0)


def ols(batch: Batch) -> Float[Array, "B T 1"]:
    """Ordinary least squares on the regressors, of minimum norm where the context is short."""
    return _minimum_norm(batch.regressors, batch.targets)


def arx_ols(batch: Batch) -> Float[Array, "B T 1"]:
    """Ordinary least squares on (x_t, x_{t-1}, y_{t-1}), from the second pair on."""
    return _minimum_norm(arx_rows(batch), batch.targets.at[:, 0].set(0))


def ridge(penalty: float, *, forgetting: float = 1.0) -> Predictor:
    """Ridge on the regressors; with forgetting < 1 recursive least squares that forgets."""
    return _on_regressors(least_squares.ridge(penalty), forgetting=forgetting)


def arx_ridge(penalty: float) -> Predictor:
    """Ridge on (x_t, x_{t-1}, y_{t-1}), from the second pair on."""
    estimator = least_squares.ridge(penalty)
    return lambda batch: _fitted(arx_rows(batch), batch.targets.at[:, 0].set(0), estimator)


def lag_ridge(penalty: float, *, order: int) -> Predictor:
    """Ridge of y_t on its last `order` values, AR(p)."""
    estimator = least_squares.ridge(penalty)
    return lambda batch: _fitted(lags(batch.targets, order=order), batch.targets, estimator)


def gradient_descent(steps: int, rate: float, *, penalty: float) -> Predictor:
    """`steps` of gradient descent on the context's ridge loss, from zero."""
    return _on_regressors(least_squares.gradient_descent(steps, rate, penalty=penalty))


def one_step(*, noise_to_prior: float) -> Predictor:
    """The best single gradient step from zero, gamma x.X^T y / n: optimal linear attention.

    gamma = 1 / (1 + (D + 1 + sigma^2/tau^2)/n) for x ~ N(0, I), w ~ N(0, tau^2 I);
    `noise_to_prior` is sigma^2/tau^2.
    """

    def estimate(normal: least_squares.Normal) -> Float[Array, "D B"]:
        d = len(normal.cross)
        return normal.cross / (normal.count + d + 1 + noise_to_prior)

    return _on_regressors(estimate)


def _on_regressors(
    estimator: least_squares.Estimator, *, forgetting: float = 1.0
) -> Callable[[Batch], Float[Array, "B T 1"]]:
    return lambda batch: _fitted(batch.regressors, batch.targets, estimator, forgetting=forgetting)


def _fitted(x, y, estimator, *, forgetting: float = 1.0) -> Float[Array, "B T 1"]:
    found = least_squares.predictions(
        x.transpose(1, 2, 0), y[..., 0].T, estimator, forgetting=forgetting
    )
    return found.T[..., None]


def _minimum_norm(x, y) -> Float[Array, "B T 1"]:
    found = least_squares.minimum_norm_predictions(x.transpose(1, 2, 0), y[..., 0].T)
    return found.T[..., None]
