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

    def bound(function):
        """A function as a pytree of the arrays bound to it: itself where it is one."""
        return Partial(function) if jax.tree.leaves(function) == [function] else function

    window = window if kernel.scores else 0
    return _sums(causal, window, Kernel(*map(bound, kernel)), q, k, v)


def read(kernel, q, sums):
    """What the sums over keys give a chunk of queries, (c, E)."""
    return fused(kernel.phi_q(q)) @ sums.T


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

    def products(a, b):
        return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)

    return reduce(products, _factors(phi)[::-1])


def _factors(phi):
    return phi if isinstance(phi, tuple) else (phi,)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _sums(causal: bool, window: int, kernel: Kernel, q, k, v):
    near, numbers = _near(causal, window, k, v), jnp.arange(len(v))
    if causal:

        def chunk(past, x):
            n, q = x
            keys = near(n)
            # What leaves the chunks near by is from then on in the sums.
            return past + write(kernel, *_first(keys)), _out(True, kernel, past, q, *keys)

        return jax.lax.scan(chunk, _nothing(kernel, k, v), (numbers, q))[1]

    total = _total(partial(write, kernel), k, v)
    if kernel.scores is None:
        return jax.lax.map(lambda q: read(kernel, q, total), q)
    return jax.lax.map(lambda x: _out(False, kernel, total, x[1], *near(x[0])), (numbers, q))


def _forward(causal, window, kernel, q, k, v):
    # Inputs are all that is kept: features and sums of every chunk would take M / D times as much.
    return _sums(causal, window, kernel, q, k, v), (kernel, q, k, v)


def _backward(causal, window, saved, g):
    """Cotangents of (kernel, q, k, v) from those of the outputs, g (N, c, E), by two scans.

    The first goes through the queries with the sums that each chunk has read: it gives dq and what
    reaches keys near by. The second goes back through the keys with the cotangent of the sums,
    which is g^T phi(q) over the chunks that read them later: it gives what reaches keys far away.
    """
    kernel, q, k, v = saved
    # Without scores and past nothing is near by, and there may be more chunks of keys than of q.
    paired = causal or kernel.scores is not None
    near = _near(causal, window, k, v) if paired else lambda n: ()
    no_grads = jax.tree.map(jnp.zeros_like, kernel)

    def read_back(q, g):
        """The cotangent (E, M) of the sums that a chunk of queries reads."""
        return g.T @ fused(kernel.phi_q(q))

    if causal:
        past = later = _nothing(kernel, k, v)
        moved = _padded((0, window), q, fill=1), _padded((0, window), g, fill=0)
        # Chunk n + window beside chunk n: the sums that it read end with chunk n - 1.
        readers = jax.tree.map(lambda x: x[window:], moved)
    else:
        past, later = _total(partial(write, kernel), k, v), _total(read_back, q, g)
        readers = ()

    def by_queries(carry, x):
        (past, grads), (n, q, g) = carry, x
        keys = near(n)
        back = jax.vjp(lambda kernel, *x: _out(causal, kernel, past, *x), kernel, q, *keys)[1]
        dkernel, dq, *dkeys = back(g)
        past = past + write(kernel, *_first(keys)) if causal else past
        return (past, _plus(grads, dkernel)), (dq, *dkeys)

    def by_keys(carry, x):
        (later, grads), (keys, reader) = carry, x
        dkernel, *dkeys = jax.vjp(write, kernel, *keys)[1](later)
        later = later + read_back(*reader) if causal else later
        return (later, _plus(grads, dkernel)), tuple(dkeys)

    numbers = jnp.arange(len(g))
    (_, grads_q), (dq, *dnear) = jax.lax.scan(by_queries, (past, no_grads), (numbers, q, g))
    (_, grads_k), dfar = jax.lax.scan(by_keys, (later, no_grads), ((k, v), readers), reverse=True)
    if paired:
        dnear = tuple(jax.tree.map(partial(_by_chunk, window), x) for x in dnear)
        dfar = _plus(dnear, dfar)
    return _plus(grads_q, grads_k), dq, *dfar


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


def _plus(a, b):
    return jax.tree.map(jnp.add, a, b)
