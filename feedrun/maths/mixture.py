"""Bayesian mixtures of filters: one filter a hypothesis, weighted by how well it has predicted.

Multiple-model estimation (Magill 1965): with weights w_k proportional to
prior_k prod_{s<t} N(y_s; mean_ks, var_ks),

    E[y_t | past] = sum_k w_k mean_kt,   Var = sum_k w_k (var_kt + mean_kt^2) - (...)^2

exact where the truth is one of the hypotheses, drawn from the prior.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Filters(NamedTuple):
    """M hypotheses run side by side on B series of numbers.

    init(models) -> state; step(models, state, x, y) -> (state, mean (M, B), var (M, B or 1)) of y
    given the past and x, what is known beforehand at that step.
    """

    init: Callable[[Any], Any]
    step: Callable[[Any, Any, Any, Any], tuple[Any, Any, Any]]


class Mixed(NamedTuple):
    """Mean and variance of y_t given the past; `effective`: 1 / sum_k w_k^2 hypotheses left."""

    mean: Float[Array, "T B"]
    var: Float[Array, "T B"]
    effective: Float[Array, "T B"]


class _Sums(NamedTuple):
    """Sums over hypotheses so far, in units of e^top: of w, w mean, w (var + mean^2), w^2."""

    top: Array
    weight: Array
    mean: Array
    square: Array
    weight2: Array


def mixture(
    filters: Filters,
    models: Any,
    log_prior: Float[Array, "J M"],
    x: Any,
    y: Float[Array, "T B"],
) -> Mixed:
    """Run J groups of M hypotheses one group after the other; leaves of `models` are (J, ...).

    Only one group's states are alive: choose M so that M B N numbers fit the cache. The sums over
    groups are merged like an online softmax.
    """
    return _mixed(_over_groups(filters, models, log_prior, x, y, every=False)[0])


def growing(
    filters: Filters,
    models: Any,
    log_prior: Float[Array, "J M"],
    x: Any,
    y: Float[Array, "T B"],
    *,
    groups: Sequence[int],
) -> Mixed:
    """The mixtures of the first groups[0], groups[1], .. groups, in one pass.

    Leaves of the result lead with `groups`. Needs memory for J T B sums.
    """
    sums = _over_groups(filters, models, log_prior, x, y, every=True)[1]
    picked = jnp.array(groups) - 1
    return _mixed(jax.tree.map(lambda leaf: leaf[picked], sums))


def expectations(
    filters: Filters,
    reading: Callable[[Any, Any], Float[Array, "K M B"]],
    models: Any,
    log_prior: Float[Array, "J M"],
    x: Any,
    y: Float[Array, "T B"],
) -> Float[Array, "T K B"]:
    """E[f_k | y_1 .. y_{t-1}] of K functions of a hypothesis and of its state before y_t.

    reading(models, state) -> what each hypothesis expects of them. Groups as in `mixture`.
    """

    def group(sums, own):
        models, log_prior = own
        return _joined(sums, _readings(filters, reading, models, log_prior, x, y)), None

    first = jax.tree.map(lambda leaf: leaf[0], (models, log_prior))
    shape = jax.eval_shape(partial(_readings, filters, reading), *first, x, y)[2].shape
    nothing = jnp.zeros(shape, y.dtype)
    start = (jnp.full_like(y, -jnp.inf), jnp.zeros_like(y), nothing)
    (_, weight, total), _ = jax.lax.scan(group, start, (models, log_prior))
    return total / weight[:, None]


def _readings(filters: Filters, reading: Any, models: Any, log_prior, x: Any, y):
    """Of one group: the largest log-weight, and in its units sums of w and of w f."""

    def body(carry, seen):
        state, log_weight = carry
        x, y = seen
        top = log_weight.max(axis=0)
        w = jnp.exp(log_weight - top[None])
        total = jnp.sum(w[None] * reading(models, state), axis=1)
        state, mean, var = filters.step(models, state, x, y)
        return (state, _updated(log_weight, mean, var, y)), (top, w.sum(axis=0), total)

    start = jnp.broadcast_to(log_prior[:, None], (len(log_prior), y.shape[1]))
    return jax.lax.scan(body, (filters.init(models), start), (x, y))[1]


def _updated(log_weight, mean, var, y):
    """Log-weights after y."""
    return log_weight - ((y[None] - mean) ** 2 / var + jnp.log(2 * jnp.pi * var)) / 2


def _joined(one, two):
    """Sums of two groups."""
    top = jnp.maximum(one[0], two[0])
    a, b = jnp.exp(one[0] - top), jnp.exp(two[0] - top)
    return top, a * one[1] + b * two[1], a[:, None] * one[2] + b[:, None] * two[2]


def _mixed(sums: _Sums) -> Mixed:
    mean = sums.mean / sums.weight
    return Mixed(mean, sums.square / sums.weight - mean**2, sums.weight**2 / sums.weight2)


def _over_groups(filters: Filters, models: Any, log_prior, x: Any, y, *, every: bool):
    """Sums over all groups and, where `every`, after each."""

    def group(sums, own):
        models, log_prior = own
        sums = _merged(sums, _run(filters, models, log_prior, x, y))
        return sums, sums if every else None

    nothing = jnp.zeros_like(y)
    start = _Sums(jnp.full_like(y, -jnp.inf), nothing, nothing, nothing, nothing)
    return jax.lax.scan(group, start, (models, log_prior))


def _run(filters: Filters, models: Any, log_prior, x: Any, y) -> _Sums:
    """Sums over one group, (T, B)."""

    def body(carry, seen):
        state, log_weight = carry
        x, y = seen
        state, mean, var = filters.step(models, state, x, y)
        sums = _sums(log_weight, mean, var)
        return (state, _updated(log_weight, mean, var, y)), sums

    start = jnp.broadcast_to(log_prior[:, None], (len(log_prior), y.shape[1]))
    return jax.lax.scan(body, (filters.init(models), start), (x, y))[1]


def _sums(log_weight, mean, var) -> _Sums:
    top = log_weight.max(axis=0)
    w = jnp.exp(log_weight - top[None])
    square = jnp.sum(w * (var + mean**2), axis=0)
    return _Sums(top, w.sum(axis=0), jnp.sum(w * mean, axis=0), square, jnp.sum(w**2, axis=0))


def _merged(one: _Sums, two: _Sums) -> _Sums:
    top = jnp.maximum(one.top, two.top)
    a, b = jnp.exp(one.top - top), jnp.exp(two.top - top)
    return _Sums(
        top,
        a * one.weight + b * two.weight,
        a * one.mean + b * two.mean,
        a * one.square + b * two.square,
        a**2 * one.weight2 + b**2 * two.weight2,
    )
