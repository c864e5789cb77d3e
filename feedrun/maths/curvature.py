"""Per-sample gradients and Hessians of one fully connected layer, and their first two moments.

A layer z = W a that is used once per sample has (exactly, for any network around it) the gradient
g = delta a^T and the Hessian h = S (x) a a^T, where delta and S are the first and second derivative
of the loss in z. So g g^T, h and h^2 = |a|^2 S^2 (x) a a^T are Kronecker products of small factors,
and no per-sample Hessian is ever formed. Vectors are row-major: entry (o, i) of W sits at o I + i.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Scalar = Float[Array, ""]


class Factors(NamedTuple):
    """What one sample contributes: a enters the layer, delta and S leave it."""

    a: Float[Array, "I"]
    delta: Float[Array, "O"]
    S: Float[Array, "O O"]


class Moments(NamedTuple):
    """Over samples: C = Cov(g), H = E[h], E2 = E[h^2]."""

    C: Float[Array, "P P"]
    H: Float[Array, "P P"]
    E2: Float[Array, "P P"]


class Projections(NamedTuple):
    """Along each direction v: v.g, v^T h v and v^T h^2 v of one sample."""

    g: Float[Array, "K"]
    h: Float[Array, "K"]
    h2: Float[Array, "K"]


class Diagonals(NamedTuple):
    """v^T C v, v^T H v and v^T E2 v along K directions v, for one or for R weightings."""

    C: Float[Array, "*R K"]
    H: Float[Array, "*R K"]
    E2: Float[Array, "*R K"]


def layer_factors(
    loss: Callable[[Array], Array], W: Float[Array, "O I"], a: Float[Array, "I"]
) -> Factors:
    """Factors of one sample whose loss is `loss(z)` at z = W a; S costs O passes of the suffix."""
    z = W @ a
    return Factors(a, jax.grad(loss)(z), jax.jacfwd(jax.grad(loss))(z))


def moments(factors: Callable[[Any], Factors], xs: Any, *, chunk: int) -> Moments:
    """C, H and E2 over the leading axis (B) of the pytree `xs`, `chunk` samples at a time.

    All three are one matrix product of packed symmetric factors: 1.5 B P^2 FLOP for P = O I.
    """
    shape = jax.eval_shape(factors, jax.tree.map(lambda x: x[0], xs))
    (O,), (I,), dtype = shape.delta.shape, shape.a.shape, shape.a.dtype  # noqa: E741
    pairs = O * (O + 1) // 2, I * (I + 1) // 2
    start = jnp.zeros((3 * pairs[0], pairs[1]), dtype), jnp.zeros((O, I), dtype)

    def add(sums, x):
        left, right, gradient = _packed(jax.vmap(factors)(x))
        return (sums[0] + left.T @ right, sums[1] + gradient), None

    products, gradient = _chunked_sum(add, start, xs, chunk=chunk)
    return _unpacked(products, gradient, count=len(jax.tree.leaves(xs)[0]))


def projections(
    factors: Callable[[Any], Factors], xs: Any, V: Float[Array, "P K"], *, chunk: int
) -> Projections:
    """The projections of every sample on the columns of V, (B, K) each.

    Costs 2 B P K (1 + O / I) FLOP, `chunk` samples at a time.
    """
    (I,) = jax.eval_shape(factors, jax.tree.map(lambda x: x[0], xs)).a.shape  # noqa: E741
    # One wide matrix product a V needs V as (I, O K); left to XLA it is laid out anew every chunk.
    V = V.reshape(-1, I, V.shape[1]).transpose(1, 0, 2)
    return jax.lax.map(lambda x: project(factors(x), V), xs, batch_size=chunk)


def project(f: Factors, V: Float[Array, "I O K"]) -> Projections:
    """v.g, v^T h v and v^T h^2 v of one sample for K directions v, given as V[i, o, k]."""
    U = (f.a @ V.reshape(V.shape[0], -1)).reshape(V.shape[1:])
    SU = f.S @ U
    return Projections(f.delta @ U, (U * SU).sum(0), (f.a @ f.a) * (SU * SU).sum(0))


def spectrum(f: Factors) -> Float[Array, "O"]:
    """The eigenvalues of one sample's Hessian that can differ from 0, ascending: |a|^2 eig(S)."""
    return (f.a @ f.a) * jnp.linalg.eigvalsh(f.S)


def diagonals(q: Projections, weights: Float[Array, "*R B"]) -> Diagonals:
    """Diagonals of C, H and E2 along the directions, each sample counted `weights` times.

    One set of weights or R of them (a bootstrap).
    """
    w = weights / weights.sum(-1, keepdims=True)
    return Diagonals(w @ q.g**2 - (w @ q.g) ** 2, w @ q.h, w @ q.h2)


def moment_diagonals(m: Moments, V: Float[Array, "P K"]) -> Diagonals:
    """The same from the matrices: v^T C v, v^T H v and v^T E2 v for the columns v of V."""
    return Diagonals(*(along(A, V) for A in m))


def along(A: Float[Array, "P P"], V: Float[Array, "P K"]) -> Float[Array, "K"]:
    """The quadratic forms v^T A v for the columns v of V."""
    return (V * (A @ V)).sum(0)


def _chunked_sum(add, start, xs, *, chunk):
    """Fold `add` over chunks of the leading axis; the last one may be smaller."""
    count = len(jax.tree.leaves(xs)[0])
    whole = count - count % chunk
    chunks = jax.tree.map(lambda x: x[:whole].reshape(-1, chunk, *x.shape[1:]), xs)
    sums, _ = jax.lax.scan(add, start, chunks)
    return sums if whole == count else add(sums, jax.tree.map(lambda x: x[whole:], xs))[0]


def _packed(f: Factors):
    """A chunk's [g g^T | S | |a|^2 S^2] against a a^T, upper triangles only, and its sum of g."""
    rows, cols = np.triu_indices(f.S.shape[-1])
    S2 = (f.a**2).sum(-1)[:, None, None] * (f.S @ f.S)
    left = [f.delta[:, rows] * f.delta[:, cols], f.S[:, rows, cols], S2[:, rows, cols]]
    rows, cols = np.triu_indices(f.a.shape[-1])
    return jnp.concatenate(left, 1), f.a[:, rows] * f.a[:, cols], f.delta.T @ f.a


def _unpacked(products, gradient, *, count: int) -> Moments:
    """Packed sums over `count` samples to the three (P, P) matrices."""
    O, I = gradient.shape  # noqa: E741
    left, right = _pair_index(O), _pair_index(I)
    blocks = products.reshape(3, -1, products.shape[1])[:, left][..., right]
    gg, H, E2 = blocks.transpose(0, 1, 3, 2, 4).reshape(3, O * I, O * I) / count
    mean = gradient.reshape(-1) / count
    return Moments(gg - jnp.outer(mean, mean), H, E2)


def _pair_index(n: int) -> np.ndarray:
    """Where entry (i, j) of a symmetric n x n matrix lies in its packed upper triangle."""
    index = np.zeros((n, n), int)
    index[np.triu_indices(n)] = np.arange(n * (n + 1) // 2)
    return np.maximum(index, index.T)
