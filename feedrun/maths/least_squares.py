"""Least squares at every position of a sequence: what rows 1 .. t-1 predict at row t.

Many sequences at once, the batch on the last axis. `predictions` keeps the normal equations up to
date and hands them to an estimator; `minimum_norm_predictions` is ordinary least squares also
where there are fewer rows than unknowns.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Normal(NamedTuple):
    """Normal equations of the rows so far: gram = sum x x^T, cross = sum x y, count of rows."""

    gram: Float[Array, "D D B"]
    cross: Float[Array, "D B"]
    count: Float[Array, ""]


Estimator = Callable[[Normal], Float[Array, "D B"]]


def predictions(
    x: Float[Array, "T D B"],
    y: Float[Array, "T B"],
    estimator: Estimator,
    *,
    forgetting: float = 1.0,
) -> Float[Array, "T B"]:
    """x_t . w(rows before t) for w = estimator(normal equations), 0 where no row is.

    With forgetting < 1 row s counts forgetting^(t-1-s). O(T D^2) and the estimator.
    """

    def body(normal, row):
        x, y = row
        guess = jnp.sum(x * estimator(normal), axis=0)
        gram = forgetting * normal.gram + x[:, None] * x[None]
        cross = forgetting * normal.cross + x * y[None]
        return Normal(gram, cross, normal.count + 1), guess

    _, d, batch = x.shape
    nothing = jnp.zeros((d, batch), x.dtype)
    start = Normal(jnp.zeros((d, d, batch), x.dtype), nothing, jnp.zeros((), x.dtype))
    return jax.lax.scan(body, start, (x, y))[1]


def ridge(penalty: float) -> Estimator:
    """(sum x x^T + penalty I)^-1 sum x y; the penalty is noise variance over prior variance."""
    if not penalty > 0:
        raise ValueError(f"penalty must be positive, got {penalty}; see minimum_norm_predictions")

    def estimate(normal: Normal) -> Float[Array, "D B"]:
        eye = jnp.eye(len(normal.cross), dtype=normal.cross.dtype)
        return solve(normal.gram + penalty * eye[..., None], normal.cross)

    return estimate


def gradient_descent(steps: int, rate: float, *, penalty: float) -> Estimator:
    """`steps` of gradient descent on |X w - y|^2/2 + penalty |w|^2/2 from w = 0.

    The step size is rate over the trace of its Hessian, stable for any rate < 2.
    """

    def estimate(normal: Normal) -> Float[Array, "D B"]:
        d = len(normal.cross)
        size = rate / (jnp.trace(normal.gram) + d * penalty)

        def body(w, _):
            slope = jnp.sum(normal.gram * w[None], axis=1) + penalty * w - normal.cross
            return w - size[None] * slope, None

        return jax.lax.scan(body, jnp.zeros_like(normal.cross), length=steps)[0]

    return estimate


def solve(A: Float[Array, "D D B"], b: Float[Array, "D B"]) -> Float[Array, "D B"]:
    """A^-1 b for positive definite A, the batch last: Gauss-Jordan without pivots, O(D^3)."""

    def eliminate(k, rows):
        pivot = rows[k] / rows[k, k][None]
        return (rows - rows[:, k, None] * pivot[None]).at[k].set(pivot)

    rows = jnp.concatenate([A, b[:, None]], axis=1)
    return jax.lax.fori_loop(0, len(A), eliminate, rows)[:, -1]


def minimum_norm_predictions(
    x: Float[Array, "T D B"], y: Float[Array, "T B"]
) -> Float[Array, "T B"]:
    """x_t . w for the least-squares solution of rows before t that has the smallest norm, X^+ y.

    Greville's recursion (Ben-Israel and Greville 2003, section 7.5): a row outside the span of
    the rows before it (by more than rounding) is fitted exactly, one inside it updates as in
    recursive least squares. O(T D^2).
    """
    _, d, batch = x.shape
    dtype = x.dtype
    threshold = d * jnp.finfo(dtype).eps ** 0.5

    def body(carry, row):
        w, missing, inverse = carry  # (D, B); projector off the span; (X^T X)^+
        x, y = row
        guess = jnp.sum(x * w, axis=0)
        off, inside = jnp.sum(missing * x[None], axis=1), jnp.sum(inverse * x[None], axis=1)
        off2, norm2 = jnp.sum(off * off, axis=0), jnp.sum(x * x, axis=0)
        new = off2 > threshold * norm2
        fresh = off / jnp.where(new, off2, 1)[None]
        leverage = 1 + jnp.sum(x * inside, axis=0)
        gain = jnp.where(new[None], fresh, inside / leverage[None])
        grown = inverse - _outer(inside, fresh) - _outer(fresh, inside)
        grown = grown + leverage[None, None] * _outer(fresh, fresh)
        shrunk = inverse - _outer(inside, inside) / leverage[None, None]
        inverse = jnp.where(new[None, None], grown, shrunk)
        missing = missing - jnp.where(new[None, None], _outer(off, fresh), 0)
        return (w + gain * (y - guess)[None], missing, inverse), guess

    eye = jnp.broadcast_to(jnp.eye(d, dtype=dtype)[..., None], (d, d, batch))
    start = (jnp.zeros((d, batch), dtype), eye, jnp.zeros_like(eye))
    return jax.lax.scan(body, start, (x, y))[1]


def _outer(a: Float[Array, "D B"], b: Float[Array, "D B"]) -> Float[Array, "D D B"]:
    return a[:, None] * b[None]
