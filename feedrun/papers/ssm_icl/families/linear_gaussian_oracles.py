"""Bayes predictors of the linear-Gaussian families: exact, or bracketed by a bank of prior draws.

Between batches (batch first) and filters (batch last)
these functions transpose; all run inside jit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from feedrun.maths import kalman, kalman_lanes, mixture
from feedrun.maths.kalman_lanes import Lanes, Rows
from feedrun.maths.mixture import Filters, Mixed
from feedrun.papers.ssm_icl.families.base import Batch, Predictor
from feedrun.papers.ssm_icl.families.linear_gaussian import Tasks

GROUP, SLAB = 32, 256
"""Hypotheses and sequences run together: their states (4 numbers each, float32) fit a cache."""


def lanes(tasks: Tasks) -> Lanes:
    """The tasks as filters with the batch on the last axis; z_1 ~ N(0, I)."""
    count, n, _ = tasks.A.shape
    outputs = tasks.C.shape[1]
    nothing = jnp.zeros((n, count), tasks.A.dtype)
    return Lanes(
        tasks.A.transpose(1, 2, 0),
        tasks.C.transpose(1, 2, 0),
        jnp.broadcast_to(tasks.q, (n, count)),
        jnp.broadcast_to(tasks.r, (outputs, count)),
        nothing,
        jnp.broadcast_to(jnp.eye(n, dtype=nothing.dtype)[..., None], (n, n, count)),
    )


def kalman_rows(batch: Batch) -> Rows:
    """Mean and variance (T, 1, B) of y_t given the past and the task; y a number."""
    return kalman_lanes.predict(lanes(batch.task), batch.targets.transpose(1, 2, 0))


def genie(batch: Batch) -> Float[Array, "B T 1"]:
    """The Kalman filter that knows A, C, q and r; y a number."""
    return kalman_rows(batch).mean.transpose(2, 0, 1)


def system(tasks: Tasks) -> kalman.System:
    """The tasks as matrices, for the textbook filter: leaves lead with B."""
    count, n, _ = tasks.A.shape
    outputs = tasks.C.shape[1]
    eye = jnp.eye(n, dtype=tasks.A.dtype)
    Q = tasks.q[:, None, None] * eye[None]
    R = tasks.r[:, None, None] * jnp.eye(outputs, dtype=eye.dtype)[None]
    mean, cov = jnp.zeros((count, n), eye.dtype), jnp.broadcast_to(eye, (count, n, n))
    return kalman.System(tasks.A, tasks.C, Q, R, mean, cov)


def wide_genie(batch: Batch) -> Float[Array, "B T O"]:
    """`genie` for many states and coordinates of y, by the textbook filter."""
    return jax.vmap(kalman.predict)(system(batch.task), batch.targets).mean


def coloured_system(tasks: Tasks, *, taps: int) -> kalman.System:
    """Systems whose noises are sums of their last `taps` white draws, the draws in the state.

    State (z_t; process draws t-1 .. t-taps+1; observation draws t .. t-taps+1), no noise left on
    y. Inflating both variances by `taps` instead, as a published code does, is not optimal.
    """
    count, n, _ = tasks.A.shape
    o, k = tasks.C.shape[1], taps - 1
    eye_n, eye_o = jnp.eye(n), jnp.eye(o)
    size, first = n + k * n + taps * o, n + k * n
    A = jnp.zeros((count, size, size)).at[:, :n, :n].set(tasks.A)
    A = A.at[:, :n, n:first].set(jnp.tile(eye_n, k))
    A = A.at[:, n:first, n:first].set(jnp.kron(jnp.eye(k, k=-1), eye_n))
    A = A.at[:, first:, first:].set(jnp.kron(jnp.eye(taps, k=-1), eye_o))
    C = jnp.zeros((count, o, size)).at[:, :, :n].set(tasks.C)
    C = C.at[:, :, first:].set(jnp.tile(eye_o, taps))
    push = jnp.zeros((size, n)).at[:n].set(eye_n).at[n : 2 * n].set(eye_n if k else 0)
    fresh = jnp.zeros((size, o)).at[first : first + o].set(eye_o)
    q, r = tasks.q[:, None, None], tasks.r[:, None, None]
    Q = q * (push @ push.T)[None] + r * (fresh @ fresh.T)[None]
    start = jnp.zeros((size,)).at[:n].set(1)
    past = jnp.zeros((size,)).at[n:first].set(1)
    noise = jnp.zeros((size,)).at[first:].set(1)
    diagonal = start[None] + tasks.q[:, None] * past[None] + tasks.r[:, None] * noise[None]
    cov = diagonal[..., None] * jnp.eye(size)[None]
    return kalman.System(A, C, Q, jnp.zeros((count, o, o)), jnp.zeros((count, size)), cov)


def coloured_genie(batch: Batch, *, taps: int) -> Float[Array, "B T O"]:
    """The Kalman filter that knows the task and the noise's moving average."""
    return jax.vmap(kalman.predict)(coloured_system(batch.task, taps=taps), batch.targets).mean


def inflated_genie(batch: Batch, *, taps: int) -> Float[Array, "B T O"]:
    """The Kalman filter that takes coloured noise for white noise of the same variance."""
    tasks = batch.task._replace(q=taps * batch.task.q, r=taps * batch.task.r)
    return wide_genie(batch._replace(task=tasks))


def bank(tasks: Tasks, y: Float[Array, "B T"], *, group: int = GROUP, slab: int = SLAB) -> Mixed:
    """The mixture of the filters of all tasks, equally likely; results (B, T).

    Exact for sequences from these very tasks. Where they are draws from a prior (self-normalised
    importance sampling) it is a legal predictor, so its risk bounds the Bayes risk from above,
    as the genie's does from below. O(B T M N^2).
    """
    models, log_prior = _grouped(lanes(tasks), group)
    nothing = jnp.zeros((y.shape[1], 0), y.dtype)

    def mixed(y: Float[Array, "S T"]) -> Mixed:
        filters = Filters(lambda own: kalman_lanes.start(own, (1, len(y))), _step)
        return mixture.mixture(filters, models, log_prior, nothing, y.T)

    return in_slabs(mixed, y, slab=slab)


def growing_bank(
    tasks: Tasks,
    y: Float[Array, "B T"],
    *,
    sizes: Sequence[int],
    group: int = GROUP,
    slab: int = SLAB,
) -> Mixed:
    """`bank` over the first sizes[0], sizes[1], .. tasks, in one pass; results (S, B, T).

    Sizes must be multiples of `group`.
    """
    if any(size % group for size in sizes):
        raise ValueError(f"sizes must be multiples of {group}, got {list(sizes)}")
    models, log_prior = _grouped(lanes(tasks), group)
    nothing = jnp.zeros((y.shape[1], 0), y.dtype)
    groups = [size // group for size in sizes]

    def mixed(y: Float[Array, "S T"]) -> Mixed:
        filters = Filters(lambda own: kalman_lanes.start(own, (1, len(y))), _step)
        found = mixture.growing(filters, models, log_prior, nothing, y.T, groups=groups)
        return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), found)

    rows = in_slabs(mixed, y, slab=slab)
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 2, 0), rows)


def bank_expectations(
    tasks: Tasks,
    rows: Float[Array, "K N M"],
    offsets: Float[Array, "K M"],
    y: Float[Array, "B T"],
    *,
    group: int = GROUP,
    slab: int = SLAB,
) -> Float[Array, "B T K"]:
    """E[rows z_t + offsets | y_1 .. y_{t-1}] under the mixture of `bank`.

    Each of the M tasks has K rows and offsets of its own: what of the state (and of the task) is
    asked for. Exact, or an approximation, as `bank` is.
    """
    models, log_prior = _grouped((lanes(tasks), rows, offsets), group)
    nothing = jnp.zeros((y.shape[1], 0), y.dtype)

    def reading(models, state):
        _, rows, offsets = models
        return jnp.sum(rows * state.mean[None], axis=1) + offsets

    def expected(y: Float[Array, "S T"]) -> Float[Array, "T K S"]:
        filters = Filters(
            lambda models: kalman_lanes.start(models[0], (1, len(y))),
            lambda models, *seen: _step(models[0], *seen),
        )
        return mixture.expectations(filters, reading, models, log_prior, nothing, y.T)

    return in_slabs(expected, y, slab=slab)


def _step(own: Lanes, moments, x, y):
    moments, (mean, var) = kalman_lanes.step(moments, own.A, own.C, own.q, own.r, y[None, None])
    return moments, mean[0], var[0]


def _grouped(own: Any, group: int):
    """Models in groups (J, ..., M, 1), the last group filled up with models of weight 0."""
    first = jax.tree.leaves(own)[0]
    count = first.shape[-1]
    group = min(group, count)
    missing = -count % group

    def split(leaf):
        padded = jnp.concatenate([leaf, leaf[..., :missing]], axis=-1)
        return jnp.moveaxis(padded.reshape(*leaf.shape[:-1], -1, group), -2, 0)[..., None]

    weights = jnp.where(jnp.arange(count + missing) < count, -jnp.log(count), -jnp.inf)
    return jax.tree.map(split, own), weights.reshape(-1, group).astype(first.dtype)


def in_slabs(mixed: Callable[[Array], Any], rows: Float[Array, "B ..."], *, slab: int) -> Any:
    """mixed(rows) slab by slab of sequences, its (T, ..., S) turned into (B, T, ...)."""
    count = len(rows)
    slab = min(slab, count)
    padding = [(0, -count % slab)] + [(0, 0)] * (rows.ndim - 1)
    found = jax.lax.map(mixed, jnp.pad(rows, padding).reshape(-1, slab, *rows.shape[1:]))
    return jax.tree.map(
        lambda leaf: jnp.moveaxis(leaf, -1, 1).reshape(-1, *leaf.shape[1:-1])[:count], found
    )


def bank_predictor(tasks: Tasks) -> Predictor:
    """The bank's mean as a family's predictor."""
    return lambda batch: bank(tasks, batch.targets[..., 0]).mean[..., None]
