"""Kernel attention y_i = sum_j K(q_i, k_j) v_j / (sum_j K(q_i, k_j) + delta), for one head.

Where the kernel is given by features, in O(T) time and one chunk of memory besides inputs and
outputs (`kernel_sums`), or position by position with a state of fixed size; from its values for
all pairs in O(T S).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from feedrun.maths.kernel_sums import Features, Kernel, fused, read, scores, sums_over_keys, write


class State(NamedTuple):
    """What decoding remembers: sums over whole chunks, and the last chunks with the one to fill."""

    sums: Float[Array, "E1 M"]
    keys: Any
    values: Float[Array, "W1 c E1"]
    count: Array


def kernel_attention(
    kernel: Kernel,
    q: Any,
    k: Any,
    v: Float[Array, "S E"],
    *,
    causal: bool,
    chunk: int,
    window: int = 0,
    mask: Bool[Array, "S"] | None = None,
    delta: float,
) -> Float[Array, "T E"]:
    """Attention of T queries to S keys, those of `mask`, `chunk` positions at a time.

    Causal: the last query sees all keys, each one before it one key less. With `kernel.scores` the
    keys of a query's own chunk and of the `window` chunks before it have these weights (if not
    causal, also those of as many after it), and only keys further off, or before the first query,
    that of features. `q` and `k` may be pytrees of arrays with a row a position.
    """
    T, S = _length(q), len(v)
    if causal and S < T:
        raise ValueError(f"causal attention of {T} queries needs as many keys, got {S}")
    if kernel.scores and S != T and not causal:
        raise ValueError(f"scores inside the chunk need as many keys as queries, got {S} and {T}")
    seen = jnp.ones(S, bool) if mask is None else mask
    k, values = _only(seen, k), _weighted(v, seen)
    chunk = min(chunk, max(T, S))
    early, late = _split((k, values), S - T if causal else 0)
    sums = sums_over_keys(kernel, *_chunked(chunk, q, *late), causal=causal, window=window)
    if causal and S > T:  # keys before the first query are seen by all
        by_features = kernel._replace(scores=None)
        sums += sums_over_keys(by_features, *_chunked(chunk, q, *early), causal=False)
    return _ratio(sums.reshape(-1, v.shape[1] + 1)[:T], delta)


def linear_attention(
    phi_q: Features,
    phi_k: Features,
    v: Float[Array, "S E"],
    *,
    causal: bool,
    chunk: int,
    mask: Bool[Array, "S"] | None = None,
    delta: float,
) -> Float[Array, "T E"]:
    """Kernel attention by features that are there already, plain or factored."""
    same = Kernel(_identity, _identity)
    return kernel_attention(
        same, phi_q, phi_k, v, causal=causal, chunk=chunk, mask=mask, delta=delta
    )


def quadratic_attention(
    K: Callable[[Any, Any], Float[Array, "T S"]],
    q: Any,
    k: Any,
    v: Float[Array, "S E"],
    *,
    causal: bool,
    block: int | None = None,
    mask: Bool[Array, "S"] | None = None,
    delta: float,
) -> Float[Array, "T E"]:
    """Kernel attention from K of all pairs, in O(T S) time and O(`block` S) memory.

    Without a block all pairs are there at once. The backward pass computes each block anew.
    """
    T, S = _length(q), len(v)
    if causal and S < T:
        raise ValueError(f"causal attention of {T} queries needs as many keys, got {S}")
    seen = jnp.ones(S, bool) if mask is None else mask
    k, values = _only(seen, k), _weighted(v, seen)

    def rows(q, last):
        visible = jnp.arange(S)[None] <= last[:, None] if causal else True
        return jnp.where(visible, K(q, k), 0) @ values

    last = jnp.arange(S - T, S)
    if block is None:
        return _ratio(rows(q, last), delta)
    blocks = _chunks(q, block), _chunks(last, block)
    sums = jax.lax.map(jax.checkpoint(lambda x: rows(*x)), blocks)
    return _ratio(sums.reshape(-1, values.shape[1])[:T], delta)


def init_state(
    kernel: Kernel, k: Any, v: Float[Array, "E"], *, chunk: int, window: int = 0
) -> State:
    """The state before the first step, for a key and a value of the shape to come.

    `chunk` and `window` are the parallel form's where the kernel has scores of its own; else 1 and
    0 are the cheapest.
    """
    phi = jax.eval_shape(lambda k: fused(kernel.phi_k(_row(k))), k)
    near = window + 1, chunk
    keys = jax.tree.map(lambda x: jnp.ones((*near, *x.shape), x.dtype), k)
    sums = jnp.zeros((len(v) + 1, phi.shape[1]), v.dtype)
    return State(sums, keys, jnp.zeros((*near, len(v) + 1), v.dtype), jnp.zeros((), int))


def step(
    kernel: Kernel, state: State, q: Any, k: Any, v: Float[Array, "E"], *, delta: float
) -> tuple[State, Float[Array, "E"]]:
    """Take in one key and value and attend by one query: the causal form, position by position."""
    sums, keys, values, count = state
    keys = jax.tree.map(lambda all, new: all.at[-1, count].set(new), keys, k)
    values = values.at[-1, count].set(jnp.append(v, jnp.ones((), v.dtype)))
    near_keys, near_values = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (keys, values))
    out = read(kernel, _row(q), sums) + scores(kernel, _row(q), near_keys) @ near_values
    full = count + 1 == values.shape[1]
    moved = jax.lax.cond(full, partial(_move_on, kernel), lambda *x: x, sums, keys, values)
    return State(*moved, jnp.where(full, 0, count + 1)), _ratio(out, delta)[0]


def state_size(state: State) -> int:
    """How many numbers a state holds, those of the last keys and values included."""
    return sum(x.size for x in jax.tree.leaves(state[:3]))


def _move_on(kernel, sums, keys, values):
    """The oldest chunk goes into the sums, an empty one comes in."""
    sums = sums + write(kernel, jax.tree.map(lambda x: x[0], keys), values[0])
    keys = jax.tree.map(lambda x: jnp.roll(x, -1, axis=0), keys)
    return sums, keys, jnp.roll(values, -1, axis=0).at[-1].set(0)


def _weighted(v, seen):
    """Values with a one behind each, all zero where a key is not seen."""
    ones = jnp.ones((len(v), 1), v.dtype)
    return jnp.where(seen[:, None], jnp.concatenate([v, ones], axis=1), 0)


def _only(seen, k):
    """Keys that are not seen, replaced: not even a NaN among them reaches the sums."""
    return jax.tree.map(lambda x: jnp.where(seen.reshape(-1, *[1] * (x.ndim - 1)), x, 1), k)


def _chunked(chunk, q, k, values):
    """Queries, keys and values in chunks, filled up with keys of no weight."""
    return _chunks(q, chunk), _chunks(k, chunk), _chunks(values, chunk, fill=0)


def _chunks(rows, chunk, *, fill=1):
    """(T, ...) to (N, chunk, ...), filled up to whole chunks."""
    missing = -_length(rows) % chunk

    def whole(x):
        x = jnp.pad(x, ((0, missing), *[(0, 0)] * (x.ndim - 1)), constant_values=fill)
        return x.reshape(-1, chunk, *x.shape[1:])

    return jax.tree.map(whole, rows)


def _split(rows, at):
    return jax.tree.map(lambda x: x[:at], rows), jax.tree.map(lambda x: x[at:], rows)


def _ratio(sums, delta):
    """Weighted values over their weights."""
    return sums[:, :-1] / (sums[:, -1:] + delta)


def _identity(rows):
    return rows


def _row(x):
    return jax.tree.map(lambda x: x[None], x)


def _length(rows) -> int:
    return len(jax.tree.leaves(rows)[0])
