"""Kalman filters of many models at once, the batch on the last axes: the fast form.

Every number of a filter is an array over the batch, state dimensions are written out (meant for N
up to about ten) and the coordinates of an observation are taken in one after the other, which
needs no matrix inverse (Anderson and Moore 1979, section 6.4): R must be diagonal. Conventions are
those of `kalman`. Batch axes broadcast: M models on B series are axes (M, 1) of the model and (B,)
of y; covariances, which no series changes, are then computed once a model.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Lanes(NamedTuple):
    """Models z_{t+1} = A z_t + N(0, diag(q)), y_t = C_t z_t + N(0, diag(r)), z_1 ~ N(mean, cov).

    A: (N, N, ...), or (N, ...) where it is diagonal. C: (O, N, ...), or (T, O, N, ...). q, mean:
    (N, ...). r: (O, ...). cov: (N, N, ...). The dots are the batch.
    """

    A: Float[Array, "N N *B"] | Float[Array, "N *B"]
    C: Float[Array, "O N *B"] | Float[Array, "T O N *B"]
    q: Float[Array, "N *B"]
    r: Float[Array, "O *B"]
    mean: Float[Array, "N *B"]
    cov: Float[Array, "N N *B"]


class Moments(NamedTuple):
    """State of a filter: mean (N, ...) and the entries i <= j of the covariance, row by row."""

    mean: Float[Array, "N *B"]
    upper: Float[Array, "K *M"]


class Rows(NamedTuple):
    """What y_1 .. y_{t-1} (and coordinates before o) say of coordinate o of y_t: (T, O, ...).

    With O = 1 that is mean and variance of y_t; log p(y_t | past) is the sum over o of
    -((y - mean)^2 / var + log(2 pi var)) / 2 for any O.
    """

    mean: Float[Array, "T O *B"]
    var: Float[Array, "T O *M"]


def predict(lanes: Lanes, y: Float[Array, "T O *B"]) -> Rows:
    """Predictions and their variances; O(T N^3) a model."""
    return run(lanes, y)[0]


def run(lanes: Lanes, y: Float[Array, "T O *B"]) -> tuple[Rows, Moments]:
    """`predict`, and the moments of the state that the predictions were made from, (T, ...)."""
    moving = lanes.C.ndim == lanes.cov.ndim + 1

    def body(moments, seen):
        C, y = seen if moving else (lanes.C, seen)
        after, row = step(moments, lanes.A, C, lanes.q, lanes.r, y)
        return after, (Rows(*row), moments)

    return jax.lax.scan(body, start(lanes, y.shape[2:]), (lanes.C, y) if moving else y)[1]


def start(lanes: Lanes, series: tuple[int, ...]) -> Moments:
    """The moments of z_1, for series whose batch axes have these sizes."""
    n, *batch = lanes.mean.shape
    shape = jnp.broadcast_shapes(tuple(batch), series)
    upper = jnp.stack([lanes.cov[i, j] for i in range(n) for j in range(i, n)])
    return Moments(jnp.broadcast_to(lanes.mean, (n, *shape)), upper)


def step(moments: Moments, A, C, q, r, y) -> tuple[Moments, tuple[Array, Array]]:
    """Predict y (O, ...), take it in, move on: (moments, (means, variances) of y)."""
    mean, P = _unpack(moments)
    rows = []
    for o in range(len(C)):
        mean, P, row = _observe(mean, P, C[o], r[o], y[o])
        rows.append(row)
    mean, P = _move(mean, P, A, q)
    means, variances = (jnp.stack(column) for column in zip(*rows, strict=True))
    return _pack(mean, P), (means, variances)


def quadratic(moments: Moments, x: Float[Array, "N *B"]) -> Float[Array, "*B"]:
    """x^T P x of the covariance in `moments`."""
    _, P = _unpack(moments)
    n = range(len(moments.mean))
    return _total(P[i, j] * (x[i] * x[j]) for i in n for j in n)


def trace(moments: Moments) -> Float[Array, "*B"]:
    """The trace of the covariance in `moments`."""
    _, P = _unpack(moments)
    return _total(P[i, i] for i in range(len(moments.mean)))


def _total(terms: Any) -> Any:
    """Sum without the integer that Python's starts from."""
    first, *rest = terms
    for term in rest:
        first = first + term
    return first


def _pack(mean, P) -> Moments:
    n = len(mean)
    return Moments(jnp.stack(mean), jnp.stack([P[i, j] for i in range(n) for j in range(i, n)]))


def _unpack(moments: Moments):
    """Lists of lanes: mean[i], and P[i, j] for all i and j."""
    n, P = len(moments.mean), {}
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    for k, (i, j) in enumerate(pairs):
        P[i, j] = P[j, i] = moments.upper[k]
    return [moments.mean[i] for i in range(n)], P


def _observe(mean, P, c, r, y):
    """The update by one number y = c.z + N(0, r), and its prediction and variance."""
    n = range(len(mean))
    Pc = [_total(P[i, j] * c[j] for j in n) for i in n]
    S = _total(c[i] * Pc[i] for i in n) + r
    gain = [Pc[i] / S for i in n]
    predicted = _total(c[i] * mean[i] for i in n)
    error = y - predicted
    mean = [mean[i] + gain[i] * error for i in n]
    return mean, _symmetric(len(n), lambda i, j: P[i, j] - gain[i] * Pc[j]), (predicted, S)


def _move(mean, P, A, q):
    """One step of the dynamics; A is diagonal where it has as many axes as q."""
    n = range(len(mean))
    if A.ndim == q.ndim:
        moved = _symmetric(len(n), lambda i, j: A[i] * A[j] * P[i, j])
        mean = [A[i] * mean[i] for i in n]
    else:
        AP = {(i, j): _total(A[i, k] * P[k, j] for k in n) for i in n for j in n}
        moved = _symmetric(len(n), lambda i, j: _total(AP[i, k] * A[j, k] for k in n))
        mean = [_total(A[i, k] * mean[k] for k in n) for i in n]
    return mean, moved | {(i, i): moved[i, i] + q[i] for i in n}


def _symmetric(n: int, entry):
    """The matrix with these entries i <= j, mirrored."""
    P = {}
    for i in range(n):
        for j in range(i, n):
            P[i, j] = P[j, i] = entry(i, j)
    return P
