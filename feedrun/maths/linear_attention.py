"""Kernel attention y_i = sum_j K(q_i, k_j) v_j / (sum_j K(q_i, k_j) + delta) as a linear recurrence.

With K(q, k) = <phi(q), phi(k)> the past enters only through the sums over keys of [v, 1] phi(k)^T, an
(E + 1, M) matrix, so a scan over chunks costs O(T) time and keeps no more than one chunk of features.
The backward pass holds one such matrix too: it computes features and sums anew, in one scan forward
for q and one in reverse for k and v, instead of storing them (Katharopoulos et al. 2020, eq. 12-15).

A feature map gives M features a row, (T, M), or a tuple of factors (T, M1), (T, M2), ... whose rows
are multiplied out to M = M1 M2 ... features (the Kronecker product). Inside a chunk the factored
form is never multiplied out: <a x b, c x d> = <a, c><b, d>.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float

Features = Float[Array, "_ _"] | tuple[Float[Array, "_ _"], ...]


class Kernel(NamedTuple):
    """K(q, k) by features of queries and of keys; `scores` replaces their product inside a chunk.

    The functions map rows (T, ...) to features, and rows of queries and of keys to (T, S) scores.
    Arrays to differentiate by are bound with `jax.tree_util.Partial`, not closed over.
    """

    phi_q: Callable[[Any], Features]
    phi_k: Callable[[Any], Features]
    scores: Callable[[Any, Any], Float[Array, "T S"]] | None = None


class State(NamedTuple):
    """What decoding remembers: sums over whole chunks, and the chunk that is being filled."""

    sums: Float[Array, "E1 M"]
    keys: Any
    values: Float[Array, "c E1"]
    count: Array


def kernel_attention(
    kernel: Kernel,
    q: Any,
    k: Any,
    v: Float[Array, "S E"],
    *,
    causal: bool,
    chunk: int,
    mask: Bool[Array, "S"] | None = None,
    delta: float,
) -> Float[Array, "T E"]:
    """Attention of T queries to S keys, those of `mask`, `chunk` positions at a time.

    Causal: the last query sees all keys, each one before it one key less. With `kernel.scores` the
    keys of a query's own chunk are weighted exactly and only those further off by features.
    """
    T, S = _length(q), len(v)
    if causal and S < T:
        raise ValueError(f"causal attention of {T} queries needs as many keys, got {S}")
    if kernel.scores and S != T and not causal:
        raise ValueError(f"scores inside the chunk need as many keys as queries, got {S} and {T}")
    seen = jnp.ones(S, bool) if mask is None else mask
    k, values = _only(seen, k), _weighted(v, seen)
    kernel = Kernel(*map(_bound, kernel))
    if causal and S > T:  # keys before the first query are seen by all
        early, (k, values) = _split((k, values), S - T)
        past = _sums(False, kernel._replace(scores=None), *_chunked(chunk, q, *early))
        sums = past + _sums(True, kernel, *_chunked(chunk, q, k, values))
    else:
        sums = _sums(causal, kernel, *_chunked(chunk, q, k, values))
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
    scores: Callable[[Any, Any], Float[Array, "T S"]],
    q: Any,
    k: Any,
    v: Float[Array, "S E"],
    *,
    causal: bool,
    block: int | None = None,
    mask: Bool[Array, "S"] | None = None,
    delta: float,
) -> Float[Array, "T E"]:
    """Kernel attention from the scores of all pairs, in O(T S) time and O(`block` S) memory.

    Without a block all scores are there at once. The backward pass computes each block anew.
    """
    T, S = _length(q), len(v)
    if causal and S < T:
        raise ValueError(f"causal attention of {T} queries needs as many keys, got {S}")
    seen = jnp.ones(S, bool) if mask is None else mask
    k, values = _only(seen, k), _weighted(v, seen)

    def rows(q, last):
        visible = jnp.arange(S)[None] <= last[:, None] if causal else True
        return jnp.where(visible, scores(q, k), 0) @ values

    last = jnp.arange(S - T, S)
    if block is None:
        return _ratio(rows(q, last), delta)
    blocks = _chunks(q, block), _chunks(last, block)
    sums = jax.lax.map(jax.checkpoint(lambda x: rows(*x)), blocks)
    return _ratio(sums.reshape(-1, values.shape[1])[:T], delta)


def init_state(kernel: Kernel, k: Any, v: Float[Array, "E"], *, chunk: int) -> State:
    """The state before the first step, for a key and a value of the shape to come.

    `chunk` is the parallel form's where the kernel has scores of its own; else 1 is the cheapest.
    """
    phi = jax.eval_shape(lambda k: fused(kernel.phi_k(_row(k))), k)
    keys = jax.tree.map(lambda x: jnp.ones((chunk, *x.shape), x.dtype), k)
    sums = jnp.zeros((len(v) + 1, phi.shape[1]), v.dtype)
    return State(sums, keys, jnp.zeros((chunk, len(v) + 1), v.dtype), jnp.zeros((), int))


def step(
    kernel: Kernel, state: State, q: Any, k: Any, v: Float[Array, "E"], *, delta: float
) -> tuple[State, Float[Array, "E"]]:
    """Take in one key and value and attend by one query: the causal form, position by position."""
    sums, keys, values, count = state
    keys = jax.tree.map(lambda all, new: all.at[count].set(new), keys, k)
    values = values.at[count].set(jnp.append(v, jnp.ones((), v.dtype)))
    out = _read(kernel, _row(q), sums) + _scores(kernel, _row(q), keys) @ values
    full = count + 1 == len(values)
    sums = jax.lax.cond(full, lambda: sums + _write(kernel, keys, values), lambda: sums)
    values = jnp.where(full, 0, values)
    return State(sums, keys, values, jnp.where(full, 0, count + 1)), _ratio(out, delta)[0]


def gram(phi_q: Features, phi_k: Features) -> Float[Array, "T S"]:
    """Inner products of two sets of features: of factors, the product of their inner products."""
    return reduce(jnp.multiply, (a @ b.T for a, b in zip(_factors(phi_q), _factors(phi_k))))


def fused(phi: Features) -> Float[Array, "T M"]:
    """Features multiplied out, the last factor's index running fastest."""
    outer = lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)
    return reduce(outer, _factors(phi))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sums(causal: bool, kernel: Kernel, q, k, v):
    """Weighted sums (N, c, E + 1) over the keys of each query, from N chunks of c rows."""
    start = _nothing(kernel, k, v)
    if causal:

        def chunk(sums, x):
            q, k, v = x
            return sums + _write(kernel, k, v), _read(kernel, q, sums) + _own(True, kernel, *x)

        return jax.lax.scan(chunk, start, (q, k, v))[1]
    total = _total(kernel, k, v)
    if kernel.scores is None:
        return jax.lax.map(lambda q: _read(kernel, q, total), q)
    return jax.lax.map(lambda x: _read(kernel, x[0], total) + _own(False, kernel, *x), (q, k, v))


def _forward(causal, kernel, q, k, v):
    return _sums(causal, kernel, q, k, v), (kernel, q, k, v)


def _backward(causal, saved, g):
    """Cotangents by two scans: reads with the sums before, writes with what later chunks read."""
    kernel, q, k, v = saved
    paired = causal or kernel.scores is not None  # else there may be more chunks of keys
    none = jax.tree.map(jnp.zeros_like, kernel)

    def reads(carry, x):
        sums, dkernel = carry
        out = lambda kernel, q, *kv: _read(kernel, q, sums) + (
            _own(causal, kernel, q, *kv) if kv else 0
        )
        xs, g = x
        more, *dxs = jax.vjp(out, kernel, *xs)[1](g)
        sums = sums + _write(kernel, *xs[1:]) if causal else sums
        return (sums, _plus(dkernel, more)), tuple(dxs)

    def writes(carry, x):
        later, dkernel = carry
        (k, v), (q, g) = x if causal else (x, (None, None))
        more, dk, dv = jax.vjp(_write, kernel, k, v)[1](later)
        later = later + _read_back(kernel, q, g) if causal else later
        return (later, _plus(dkernel, more)), (dk, dv)

    start = _nothing(kernel, k, v)
    before = start if causal else _total(kernel, k, v)
    (_, dkernel), grads = jax.lax.scan(reads, (before, none), ((q, k, v) if paired else (q,), g))
    if causal:
        (_, more), far = jax.lax.scan(writes, (start, none), ((k, v), (q, g)), reverse=True)
    else:
        add = lambda total, x: (total + _read_back(kernel, *x), None)
        (_, more), far = jax.lax.scan(writes, (jax.lax.scan(add, start, (q, g))[0], none), (k, v))
    dkv = _plus(grads[1:], far) if paired else far
    return _plus(dkernel, more), grads[0], *dkv


_sums.defvjp(_forward, _backward)


def _read(kernel, q, sums):
    """What the sums over keys give a chunk of queries, (c, E + 1)."""
    return fused(kernel.phi_q(q)) @ sums.T


def _read_back(kernel, q, g):
    """Its cotangent in the sums, (E + 1, M)."""
    return g.T @ fused(kernel.phi_q(q))


def _write(kernel, k, v):
    """What a chunk of keys adds to the sums, (E + 1, M): in this order the product is fastest."""
    return v.T @ fused(kernel.phi_k(k))


def _own(causal, kernel, q, k, v):
    """A chunk's own keys; where all keys are read by features, what the scores differ from them."""
    if causal:
        return jnp.tril(_scores(kernel, q, k)) @ v
    return (kernel.scores(q, k) - gram(kernel.phi_q(q), kernel.phi_k(k))) @ v


def _scores(kernel, q, k):
    """The kernel itself where it is given, else the product of the features."""
    return kernel.scores(q, k) if kernel.scores else gram(kernel.phi_q(q), kernel.phi_k(k))


def _total(kernel, k, v):
    """Sums over all keys."""
    add = lambda sums, kv: (sums + _write(kernel, *kv), None)
    return jax.lax.scan(add, _nothing(kernel, k, v), (k, v))[0]


def _nothing(kernel, k, v):
    """Empty sums for chunks of keys and values."""
    first = jax.tree.map(lambda x: x[0], (k, v))
    shape = jax.eval_shape(_write, kernel, *first)
    return jnp.zeros(shape.shape, shape.dtype)


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
    pad = lambda x: jnp.pad(x, ((0, missing), *[(0, 0)] * (x.ndim - 1)), constant_values=fill)
    return jax.tree.map(lambda x: pad(x).reshape(-1, chunk, *x.shape[1:]), rows)


def _split(rows, at):
    return jax.tree.map(lambda x: x[:at], rows), jax.tree.map(lambda x: x[at:], rows)


def _ratio(sums, delta):
    """Weighted values over their weights."""
    return sums[:, :-1] / (sums[:, -1:] + delta)


def _factors(phi):
    return phi if isinstance(phi, tuple) else (phi,)


def _bound(function):
    """A function as a pytree of the arrays bound to it."""
    return None if function is None else function if isinstance(function, Partial) else Partial(function)


def _identity(rows):
    return rows


def _row(x):
    return jax.tree.map(lambda x: x[None], x)


def _length(rows) -> int:
    return len(jax.tree.leaves(rows)[0])


def _plus(a, b):
    return jax.tree.map(jnp.add, a, b)
