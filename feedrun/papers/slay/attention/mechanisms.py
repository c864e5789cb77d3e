"""Every attention that the paper's experiments compare, with one signature.

`ATTENDS[name](key, dimension, sizes)` draws what is random, for one head, and returns
`attend(q, k, v, *, causal, mask=None) -> out` on (T, D), (S, D), (S, E) and a (S,) mask of the keys
that exist. An attend is a pytree: heads with features of their own are a vmap over keys here and
over attends there. `KERNELS` holds those that cost O(T), as the `Kernel` that decoding needs.

Formulas: arXiv 2602.04915. Whatever has an exact square or is a hybrid is not the paper's.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Key

from feedrun.maths import square_features as square
from feedrun.maths.attention import softmax_attention
from feedrun.maths.kernel_sums import Kernel
from feedrun.maths.linear_attention import kernel_attention, quadratic_attention
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import baselines, features

Attend = Callable[..., Array]


class Sizes(NamedTuple):
    """Budgets; what a mechanism has no use for it ignores.

    `features`: of the two FAVOR+; `square`: at most so many of the shifted square; `window`: so
    many chunks before a query's own with exact scores; `longest`: cosFormer's M, None for the
    length at hand, which padding is a part of.
    """

    nodes: int
    prf: int
    poly: int
    eps: float
    features: int = 256
    chunk: int = 128
    square: int = 2048
    window: int = 1
    longest: int | None = None


CONFIGURATIONS = {
    "table": Sizes(nodes=2, prf=16, poly=8, eps=1e-3),
    "class": Sizes(nodes=1, prf=8, poly=64, eps=1e-6),
    "synthetic": Sizes(nodes=2, prf=16, poly=32, eps=1e-6),
    "ablation_small": Sizes(nodes=2, prf=8, poly=8, eps=1e-6),
    "ablation_medium": Sizes(nodes=2, prf=16, poly=16, eps=1e-6),
    "ablation_large": Sizes(nodes=2, prf=32, poly=32, eps=1e-6),
    "figures": Sizes(nodes=3, prf=16, poly=32, eps=1e-2),
}
"""SLAY as the paper and its code configure it: m = nodes prf poly features."""

DELTA = 1e-6
"""What the published code adds to denominators."""

SMALL = 1e-12
"""For denominators that cannot vanish; where no key is seen its square still has an inverse."""


def unit(u: Float[Array, "T D"]) -> Float[Array, "T D"]:
    """u / |u|, and 0 with finite gradients where u = 0."""
    return u * jax.lax.rsqrt(jnp.maximum(jnp.sum(u**2, axis=1, keepdims=True), 1e-12))


def yat_scores(q: Float[Array, "T D"], k: Float[Array, "S D"], eps: float) -> Float[Array, "T S"]:
    """The exact spherical Yat kernel of all pairs."""
    return theory.spherical_yat(unit(q) @ unit(k).T, eps)


def slay(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """The published default: anchors times positive random features at Gauss-Laguerre nodes."""
    return _spherical(features.slay(key, dimension, poly=sizes.poly, **_prf(sizes)))


def laplace(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """The variant without the square, with `prf` times `poly` features a node: as many in all."""
    budget = _prf(sizes._replace(prf=sizes.prf * sizes.poly))
    return _spherical(features.laplace_only(key, dimension, **budget))


def hadamard(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """One draw for square and exponential, with as many features in all."""
    budget = _prf(sizes._replace(prf=sizes.prf * sizes.poly))
    return _spherical(features.hadamard(key, dimension, **budget))


def other_square(draw: Callable[..., Any], **more: Any):
    """SLAY with another map for the square, one of `square_features`."""

    def kernel(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
        chosen = partial(draw, count=sizes.poly, **more)
        return _spherical(features.with_square(key, dimension, chosen, **_prf(sizes)))

    return kernel


def exact_square(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """x^2 / C: D (D + 1) / 2 features and nothing random."""
    scale = 1 / (2 + sizes.eps)
    phi = Partial(partial(_squares, scale=scale))
    return Kernel(phi, phi, Partial(partial(_square_scores, scale=scale)))


def exact_square_prf(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """x^2 exactly, times the paper's random features of the exponentials."""
    product = features.exact_square_exponentials(key, dimension, **_prf(sizes))
    return _spherical(product, Partial(_square_prf_scores, product.prf))


def hybrid(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """The exact kernel inside a chunk, x^2 / C across chunks."""
    return exact_square(key, dimension, sizes)._replace(scores=_exact(sizes))


def hybrid_prf(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """The exact kernel inside a chunk, x^2 times the random exponentials across chunks."""
    return exact_square_prf(key, dimension, sizes)._replace(scores=_exact(sizes))


def hybrid_slay(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """The exact kernel inside a chunk, SLAY across chunks, brought to the kernel's scale."""
    product = features.slay(key, dimension, poly=sizes.poly, scaled=True, **_prf(sizes))
    return _spherical(product, _exact(sizes))


def window_square(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Kernel:
    """The exact kernel among near keys, w (x + shift)^2 by D (D + 3) / 2 features or less beyond.

    Near are the keys of a query's own chunk and of the `window` chunks before it. A far key is
    taken for a uniform direction: see `theory.far_square`. What the budget has no room for are
    products of coordinates far apart.
    """
    scale, shift = theory.far_square(dimension, sizes.eps)
    lags = square.lags_within(sizes.square, dimension)
    phi = Partial(partial(_shifted_squares, scale=scale, shift=shift, lags=lags))
    return Kernel(phi, phi, _exact(sizes))


KERNELS: dict[str, Callable[[Key[Array, ""], int, Sizes], Kernel]] = {
    "slay": slay,
    "laplace": laplace,
    "hadamard": hadamard,
    "slay_debiased": other_square(square.debiased_anchors),
    "slay_nystroem": other_square(square.nystroem, jitter=1e-3),
    "slay_tensor_sketch": other_square(square.tensor_sketch),
    "slay_maclaurin": other_square(square.random_maclaurin),
    "square": exact_square,
    "square_prf": exact_square_prf,
    "hybrid": hybrid,
    "hybrid_prf": hybrid_prf,
    "hybrid_slay": hybrid_slay,
    "window_square": window_square,
    "favor": lambda key, dimension, sizes: baselines.favor(key, dimension, sizes.features),
    "favor_relu": lambda key, dimension, sizes: baselines.favor_relu(
        key, dimension, sizes.features
    ),
    "elu": lambda key, dimension, sizes: baselines.elu(),
    "uniform": lambda key, dimension, sizes: baselines.uniform(),
}

SIGNED = frozenset({"slay_debiased", "slay_nystroem", "slay_tensor_sketch", "slay_maclaurin"})
"""Kernels whose estimates may be negative; all others are at least 0.

So is that of window_square, unless its budget is below D (D + 3) / 2 features.
"""

EXACT_NEAR = frozenset({"hybrid", "hybrid_prf", "hybrid_slay", "window_square"})
"""Kernels that are exact among near keys: inside a chunk, or a window of chunks."""


def windows(name: str, sizes: Sizes) -> int:
    """How many chunks before a query's own one of KERNELS is exact with."""
    return sizes.window if name == "window_square" else 0


def by_features(name: str, *, delta: float = DELTA) -> Callable[..., Attend]:
    """The attend of one of KERNELS."""

    def draw(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Attend:
        near = name in EXACT_NEAR
        sizing = {"chunk": sizes.chunk, "window": windows(name, sizes)}
        run = partial(_by_features, delta=delta, near=near, **sizing)
        return Partial(run, KERNELS[name](key, dimension, sizes))

    return draw


ATTENDS: dict[str, Callable[[Key[Array, ""], int, Sizes], Attend]] = {
    "softmax": lambda key, dimension, sizes: Partial(softmax_attention),
    "yat": lambda key, dimension, sizes: _yat(sizes, block=None),
    "yat_blocked": lambda key, dimension, sizes: _yat(sizes, block=sizes.chunk),
    "cosformer": lambda key, dimension, sizes: Partial(
        partial(
            baselines.cosformer_attention, longest=sizes.longest, chunk=sizes.chunk, delta=DELTA
        )
    ),
    **{name: by_features(name) for name in KERNELS},
    "favor": by_features("favor", delta=SMALL),
    "uniform": by_features("uniform", delta=SMALL),
}


def _by_features(
    kernel: Kernel,
    q: Float[Array, "T D"],
    k: Float[Array, "S D"],
    v: Float[Array, "S E"],
    *,
    causal: bool,
    mask: Bool[Array, "S"] | None = None,
    near: bool,
    **how: Any,
) -> Float[Array, "T E"]:
    if not (causal or near):  # these scores are the features' product: nothing to put right
        kernel = kernel._replace(scores=None)
    return kernel_attention(kernel, q, k, v, causal=causal, mask=mask, **how)


def _yat(sizes: Sizes, *, block: int | None) -> Attend:
    """Exact spherical Yat attention: quadratic in time, and with a block linear in memory."""
    scores = partial(yat_scores, eps=sizes.eps)
    return Partial(partial(quadratic_attention, scores, block=block, delta=DELTA))


def _prf(sizes: Sizes) -> dict[str, Any]:
    return {"nodes": sizes.nodes, "prf": sizes.prf, "eps": sizes.eps}


def _spherical(product: features.Product, scores: Any = None) -> Kernel:
    """The kernel of features of q / |q| and k / |k|."""
    phi = Partial(_factors, product)
    return Kernel(phi, phi, scores)


def _exact(sizes: Sizes) -> Partial:
    return Partial(partial(yat_scores, eps=sizes.eps))


def _factors(product, u):
    return _like(u, product).factors(unit(u))


def _like(u, drawn):
    """What was drawn, in the dtype of the data: float32 data stay float32."""
    return jax.tree.map(lambda x: x.astype(u.dtype), drawn)


def _squares(u, *, scale):
    return square.SymmetricSquare()(unit(u) * scale**0.25)


def _shifted_squares(u, *, scale, shift, lags):
    return square.shifted_square(unit(u), scale=scale, shift=shift, lags=lags)


def _square_scores(q, k, *, scale):
    """The product of `_squares` by cosines: D operations a pair instead of D (D + 1) / 2."""
    return scale * (unit(q) @ unit(k).T) ** 2


def _square_prf_scores(prf, q, k):
    exponentials = _like(q, prf)
    return _square_scores(q, k, scale=1) * (exponentials(unit(q)) @ exponentials(unit(k)).T)
