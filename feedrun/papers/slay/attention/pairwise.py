"""Kernel attention from the weights of all pairs of positions, for short sequences.

The same numbers as those of `attends`, in O(T S) time and without a state: up to eight times as
fast at 32 tokens.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Key

from feedrun.maths import kernel_sums
from feedrun.maths.linear_attention import quadratic_attention
from feedrun.maths.square_features import lags_within
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import mechanisms
from feedrun.papers.slay.attention.mechanisms import Attend, Sizes, unit

DELTAS = {"favor": mechanisms.SMALL, "uniform": mechanisms.SMALL}
"""What is added to denominators, where it is not attends.DELTA."""


def by_pairs(name: str) -> Callable[[Key[Array, ""], int, Sizes], Attend]:
    """The attend of one of attends.KERNELS, for as many queries as keys."""
    delta = DELTAS.get(name, mechanisms.DELTA)

    def draw(key: Key[Array, ""], dimension: int, sizes: Sizes) -> Attend:
        kernel = mechanisms.KERNELS[name](key, dimension, sizes)
        weights = Partial(_scores, kernel)
        if name in mechanisms.EXACT_NEAR:
            band = {"chunk": sizes.chunk, "window": mechanisms.windows(name, sizes)}
            far = _far(name, kernel, key, dimension, sizes)
            weights = Partial(partial(_near_or_far, **band), kernel, far)
        return Partial(partial(_attend, delta=delta), weights)

    return draw


def _attend(
    weights: Any,
    q: Float[Array, "T D"],
    k: Float[Array, "T D"],
    v: Float[Array, "T E"],
    *,
    causal: bool,
    mask: Bool[Array, "T"] | None = None,
    delta: float,
) -> Float[Array, "T E"]:
    """Kernel attention with weights that may depend on positions."""
    place = jnp.arange(len(v))
    placed = (q, place), (k, place)
    return quadratic_attention(weights, *placed, v, causal=causal, mask=mask, delta=delta)


def _scores(kernel, q, k):
    return kernel_sums.scores(kernel, q[0], k[0])


def _near_or_far(near, far, q, k, *, chunk: int, window: int):
    apart = jnp.abs(q[1][:, None] // chunk - k[1][None] // chunk)
    return jnp.where(apart <= window, _scores(near, q, k), _scores(far, q, k))


def _far(name, kernel, key, dimension, sizes):
    """The kernel of features, by cosines where they give it: D operations a pair instead of M."""
    if name == "hybrid":
        return mechanisms.exact_square(key, dimension, sizes)
    if name == "window_square" and lags_within(sizes.square, dimension) == dimension // 2:
        scale, shift = theory.far_square(dimension, sizes.eps)
        return kernel._replace(scores=Partial(partial(_shifted, scale=scale, shift=shift)))
    return kernel._replace(scores=None)


def _shifted(q, k, *, scale, shift):
    return scale * (unit(q) @ unit(k).T + shift) ** 2
