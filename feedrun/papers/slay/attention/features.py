"""SLAY's feature maps, and better ones, in one shape: a product of two maps.

A `Product` is drawn once and then is a function of unit vectors: `features(x)` (T, P M), or in
factored form `factors(x)`, the pair (T, P), (T, M) whose Grams multiply:
<Psi(q), Psi(k)> = <poly(q), poly(k)> <prf(q), prf(k)>. The sum over quadrature nodes is inside
the second factor, whose columns hold sqrt(w_r). Being NamedTuples of arrays, products pass
through jit, and stacks of them (heads, seeds) through vmap.

Source: arXiv 2602.04915, section 3 (maps of the paper); what the paper has not is marked.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.maths import exponential_features as exponential
from feedrun.maths import square_features as square
from feedrun.maths.exponential_features import Exponentials
from feedrun.maths.quadrature import Rule
from feedrun.papers.slay import theory


class One(NamedTuple):
    """The single feature 1: the factor of a product that has only the other one."""

    def __call__(self, x: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """A column of ones."""
        return jnp.ones_like(x[:, :1])


class SquaredExponentials(NamedTuple):
    """The Hadamard variant's features, M^{-1/2} (w_i . x)^2 exp(w'_i . x + c_i), w' = sqrt(2s) w.

    One w serves both factors, so that the square and the exponential are not independent.
    """

    omega: Float[Array, "M D"]
    exponentials: Exponentials

    def __call__(self, x: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T M D)."""
        return (x @ self.omega.T) ** 2 * self.exponentials(x)


class Product(NamedTuple):
    """The tensor product of two feature maps of unit vectors."""

    poly: Any
    prf: Any

    def factors(self, x: Float[Array, "T D"]) -> tuple[Float[Array, "T P"], Float[Array, "T M"]]:
        """Both factors of the features: all that a Gram matrix needs."""
        return self.poly(x), self.prf(x)

    def __call__(self, x: Float[Array, "T D"]) -> Float[Array, "T PM"]:
        """The features themselves, poly_p(x) prf_m(x), p-major."""
        poly, prf = self.factors(x)
        return (poly[:, :, None] * prf[:, None]).reshape(len(x), -1)

    def size(self, dimension: int, dtype=float) -> int:
        """How many features a vector of this dimension gets."""
        x = jax.ShapeDtypeStruct((1, dimension), dtype)
        return jax.eval_shape(self.__call__, x).shape[1]


def gram(features: Product, q: Float[Array, "T D"], k: Float[Array, "S D"]) -> Float[Array, "T S"]:
    """All estimated kernel values by the Kronecker identity: cost P + M a pair, not P M."""
    (poly_q, prf_q), (poly_k, prf_k) = features.factors(q), features.factors(k)
    return (poly_q @ poly_k.T) * (prf_q @ prf_k.T)


def node_exponentials(
    key: Key[Array, ""],
    dimension: int,
    rule: Rule,
    counts: Sequence[int],
    *,
    orthogonal: bool = False,
    tuned_at: float | None = None,
    dtype=float,
) -> Exponentials:
    """Features of sum_r w_r e^{2 s_r x} on the sphere, `counts[r]` at node r, drawn independently.

    D^{-1/2} sqrt(w_r) exp(sqrt(2 s_r) w . u - s_r). `orthogonal` blocks, and features of least
    variance at cosine `tuned_at`, are not the paper's.
    """
    draw = exponential.orthogonal_rows if orthogonal else exponential.gaussian_rows
    keys = jax.random.split(key, len(counts))
    # All nodes in one call: two batched QRs in one program can wait for each other for ever on CPU.
    rows = jax.vmap(lambda k: draw(k, max(counts), dimension, dtype=dtype))(keys)
    blocks = []
    for omega, s, w, count in zip(rows, rule.nodes, rule.weights, counts, strict=True):
        bend = 0.0
        if tuned_at is not None:
            bend = exponential.optimal_bend(float(4 * s * (1 + tuned_at)), dimension).astype(dtype)
        plain = exponential.positive(omega[:count], bend)
        level = float(np.log(w) / 2 - s)
        blocks.append((float(np.sqrt(2 * s)) * plain.omega, plain.offset + level))
    return Exponentials(*(jnp.concatenate(parts) for parts in zip(*blocks, strict=True)))


def slay(
    key: Key[Array, ""],
    dimension: int,
    *,
    nodes: int,
    prf: int,
    poly: int,
    eps: float,
    scaled: bool = False,
    dtype=float,
) -> Product:
    """The published default: `poly` anchors times `prf` features at each node, m = nodes prf poly.

    Its mean tends to `theory.anchor_limit` / (D (D + 2)), not to the kernel. `scaled`: by
    D (D + 2), which brings the limit to the kernel's scale (mixing with exact scores needs it).
    """
    poly_key, prf_key = jax.random.split(key)
    return Product(
        square.anchors(poly_key, dimension, poly, scaled=scaled, dtype=dtype),
        laguerre_exponentials(prf_key, dimension, nodes=nodes, prf=prf, eps=eps, dtype=dtype),
    )


def laguerre_exponentials(
    key: Key[Array, ""], dimension: int, *, nodes: int, prf: int, eps: float, dtype=float
) -> Exponentials:
    """The paper's positive features: independent Gaussians, as many at every Laguerre node."""
    rule = theory.laguerre_nodes(nodes, eps)
    return node_exponentials(key, dimension, rule, [prf] * nodes, dtype=dtype)


def laplace_only(
    key: Key[Array, ""], dimension: int, *, nodes: int, prf: int, eps: float, dtype=float
) -> Product:
    """The variant without the square, m = nodes prf: weights C alpha_r / 4, limit K + C/4 + x/2."""
    rule = theory.laguerre_nodes(nodes, eps)
    signed = Rule(rule.nodes, (2 + eps) ** 2 / 4 * rule.weights)
    return Product(One(), node_exponentials(key, dimension, signed, [prf] * nodes, dtype=dtype))


def hadamard(
    key: Key[Array, ""], dimension: int, *, nodes: int, prf: int, eps: float, dtype=float
) -> Product:
    """The paper's fast baseline, m = nodes prf: one draw for square and exponential."""
    rule = theory.laguerre_nodes(nodes, eps)
    drawn = node_exponentials(key, dimension, rule, [prf] * nodes, dtype=dtype)
    roots = jnp.repeat(jnp.asarray(np.sqrt(2 * rule.nodes), dtype), prf)
    # The published features carry prf^{-1/2} twice, once a factor.
    return Product(One(), SquaredExponentials(drawn.omega / roots[:, None] / prf**0.25, drawn))


def exact_square() -> Product:
    """x^2 alone, exactly: D (D + 1) / 2 features, no exponential (not the paper's)."""
    return Product(square.SymmetricSquare(), One())


def exact_square_exponentials(
    key: Key[Array, ""], dimension: int, *, nodes: int, prf: int, eps: float, dtype=float
) -> Product:
    """The exact square times the paper's exponentials: unbiased for K_R."""
    drawn = laguerre_exponentials(key, dimension, nodes=nodes, prf=prf, eps=eps, dtype=dtype)
    return Product(square.SymmetricSquare(), drawn)


def with_square(
    key: Key[Array, ""],
    dimension: int,
    draw: Callable[..., Any],
    *,
    nodes: int,
    prf: int,
    eps: float,
    dtype=float,
) -> Product:
    """Any map of `square_features`, `draw(key, dimension, dtype=)`, times the exponentials."""
    poly_key, prf_key = jax.random.split(key)
    drawn = laguerre_exponentials(prf_key, dimension, nodes=nodes, prf=prf, eps=eps, dtype=dtype)
    return Product(draw(poly_key, dimension, dtype=dtype), drawn)
