"""Sums over keys K(q_i, k_j) v_j of kernels given by features, chunk by chunk, and their gradient.

The past enters only through the sums over keys of v phi(k)^T, an (E, M) matrix that a scan carries,
so O(T) time and one chunk of features at once. The backward pass holds one such matrix too: it
computes features and sums anew, in one scan forward for q and one in reverse for k and v, instead
of storing them (Katharopoulos et al., arXiv 2006.16236, eq. 12-15).

A feature map gives M features a row, (T, M), or a tuple of factors (T, M1), (T, M2), ... whose rows
multiply out to M = M1 M2 ... features (the Kronecker product). Inside a chunk they never are:
<a x b, c x d> = <a, c><b, d>.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

Features = Float[Array, "_ _"] | tuple[Float[Array, "_ _"], ...]


class Kernel(NamedTuple):
    """K(q, k) by features of queries and of keys; `scores` replaces their product near by.

    The functions map rows (T, ...) to features, and rows of queries and of keys to (T, S) scores.
    Arrays to differentiate by are bound to them, not closed over: `jax.tree_util.Partial`, or a
    NamedTuple that can be called.
    """

    phi_q: Callable[[Any], Features]
    phi_k: Callable[[Any], Features]
    scores: Callable[[Any, Any], Float[Array, "T S"]] | None = None


def sums_over_keys(
    kernel: Kernel,
    q: Any,
    k: Any,
    v: Float[Array, "N c E"],
    *,
    causal: bool,
    window: int = 0,
) -> Float[Array, "_ c E"]:
    """sum_j K(q_i, k_j) v_j for rows in chunks (N, c, ...), over all j or over j <= i.

    `kernel.scores` hold in a chunk and between it and the `window` chunks before it (if not causal,
    those after it too). Gradients reach q, k, v and the arrays of the kernel.
    """
    window = window if kernel.scores else 0
    return _sums(causal, window, Kernel(*map(_bound, kernel)), q, k, v)


def read(kernel, q, sums):
    """What the sums over keys give a chunk of queries, (c, E)."""
    return fused(kernel.phi_q(q)) @ sums.T


def _read_back(kernel, q, g):
    """Its cotangent in the sums, (E, M)."""
    return g.T @ fused(kernel.phi_q(q))


def write(kernel, k, v):
    """What a chunk of keys adds to the sums, (E, M): in this order the product is fastest."""
    return v.T @ fused(kernel.phi_k(k))


def scores(kernel, q, k):
    """The kernel itself where it is given, else the product of the features."""
    return kernel.scores(q, k) if kernel.scores else gram(kernel.phi_q(q), kernel.phi_k(k))


def gram(phi_q: Features, phi_k: Features) -> Float[Array, "T S"]:
    """Inner products of two sets of features: of factors, the product of their inner products."""
    pairs = zip(_factors(phi_q), _factors(phi_k), strict=True)
    return reduce(jnp.multiply, (a @ b.T for a, b in pairs))


def fused(phi: Features) -> Float[Array, "T M"]:
    """Features multiplied out, the first factor's index running fastest."""
    return reduce(_outer, _factors(phi)[::-1])


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _sums(causal: bool, window: int, kernel: Kernel, q, k, v):
    if not causal and kernel.scores is None:
        total = _total(partial(write, kernel), k, v)
        return jax.lax.map(lambda q: read(kernel, q, total), q)

    near, numbers = _near(causal, window, k, v), jnp.arange(len(v))
    if not causal:
        total = _total(partial(write, kernel), k, v)
        return jax.lax.map(lambda x: _out(False, kernel, total, x[1], *near(x[0])), (numbers, q))

    def chunk(sums, x):
        (n, q), kv = x, near(x[0])
        return sums + write(kernel, *_first(kv)), _out(True, kernel, sums, q, *kv)

    return jax.lax.scan(chunk, _nothing(kernel, k, v), (numbers, q))[1]


def _forward(causal, window, kernel, q, k, v):
    return _sums(causal, window, kernel, q, k, v), (kernel, q, k, v)


def _backward(causal, window, saved, g):
    """Cotangents by two scans: reads with the sums before, writes with what later chunks read."""
    kernel, q, k, v = saved
    paired = causal or kernel.scores is not None  # else there may be more chunks of keys
    near = _near(causal, window, k, v) if paired else lambda n: ()
    empty, still = _nothing(kernel, k, v), jax.tree.map(jnp.zeros_like, kernel)

    def reads(carry, x):
        (sums, grads), (n, q, g) = carry, x
        xs = q, *near(n)
        more, *dxs = jax.vjp(lambda kernel, *xs: _out(causal, kernel, sums, *xs), kernel, *xs)[1](g)
        sums = sums + write(kernel, *_first(xs[1:])) if causal else sums
        return (sums, _plus(grads, more)), tuple(dxs)

    def writes(carry, x):
        (later, grads), (kv, read_by) = carry, x
        more, *dkv = jax.vjp(write, kernel, *kv)[1](later)
        later = later + _read_back(kernel, *read_by) if causal else later
        return (later, _plus(grads, more)), tuple(dkv)

    before = empty if causal else _total(partial(write, kernel), k, v)
    after = empty if causal else _total(partial(_read_back, kernel), q, g)
    numbers = jnp.arange(len(g))
    (_, by_q), (dq, *by_near) = jax.lax.scan(reads, (before, still), (numbers, q, g))
    readers = (_moved(window, q, fill=1), _moved(window, g, fill=0)) if causal else ()
    (_, by_k), far = jax.lax.scan(writes, (after, still), ((k, v), readers), reverse=True)
    by_near = tuple(jax.tree.map(partial(_by_chunk, window), x) for x in by_near)
    return _plus(by_q, by_k), dq, *(_plus(by_near, far) if paired else far)


_sums.defvjp(_forward, _backward)


def _out(causal, kernel, sums, q, k=None, v=None):
    """A chunk's sums over keys: by features over those in `sums`, one by one over those near by.

    If not causal, `sums` hold those too, and what is added is how the scores differ from features.
    """
    far = read(kernel, q, sums)
    if v is None:
        return far
    k, v = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (k, v))
    close = scores(kernel, q, k)
    if causal:
        close = jnp.tril(close, len(v) - len(close))
    else:
        close = close - gram(kernel.phi_q(q), kernel.phi_k(k))
    return far + close @ v


def _near(causal, window, k, v):
    """The chunks of keys and values near chunk n, (chunks, c, ...), as a function of n.

    The `window` before it, itself and, if not causal, the `window` after; of no weight where there
    are none.
    """
    ends = window, 0 if causal else window
    k, v = _padded(ends, k, fill=1), _padded(ends, v, fill=0)
    count = 1 + sum(ends)
    return lambda n: jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, n, count), (k, v))


def _by_chunk(window, near):
    """Sums of (N, chunks, c, ...) by the chunk that they speak of, (N, c, ...)."""
    N, count = near.shape[:2]
    total = jnp.zeros((N + count - 1, *near.shape[2:]), near.dtype)
    for j in range(count):
        total = total.at[j : j + N].add(near[:, j])
    return total[window : window + N]


def _moved(window, x, *, fill):
    """Chunks `window` later, filled up."""
    return jax.tree.map(lambda x: x[window:], _padded((0, window), x, fill=fill))


def _padded(ends, x, *, fill):
    """Chunks with others before and after."""

    def pad(x):
        return jnp.pad(x, (ends, *[(0, 0)] * (x.ndim - 1)), constant_values=fill)

    return jax.tree.map(pad, x) if any(ends) else x


def _first(near):
    """The first of the chunks near by."""
    return jax.tree.map(lambda x: x[0], near)


def _total(term, x, y):
    """sum of term(x_n, y_n) over chunks n."""
    shape = jax.eval_shape(term, *_first((x, y)))
    start = jnp.zeros(shape.shape, shape.dtype)
    return jax.lax.scan(lambda sums, xy: (sums + term(*xy), None), start, (x, y))[0]


def _nothing(kernel, k, v):
    """Empty sums for chunks of keys and values."""
    shape = jax.eval_shape(write, kernel, *_first((k, v)))
    return jnp.zeros(shape.shape, shape.dtype)


def _outer(a, b):
    """Products of every feature of a with every one of b, (T, M1 M2)."""
    return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)


def _factors(phi):
    return phi if isinstance(phi, tuple) else (phi,)


def _bound(function):
    """A function as a pytree of the arrays bound to it: itself where it is one."""
    return Partial(function) if jax.tree.leaves(function) == [function] else function


def _plus(a, b):
    return jax.tree.map(jnp.add, a, b)
