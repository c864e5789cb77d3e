"""Training decoders that differ in attention alone: draws, optimizer, tuned learning rates."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import jax
import optax
from jax.tree_util import Partial
from jaxtyping import Array, Float

from feedrun.errors import known
from feedrun.experiment import Config, Count, Positive, one_of
from feedrun.maths.attention import softmax_attention
from feedrun.models.decoder import Decoder
from feedrun.papers.slay.attention.mechanisms import ATTENDS, KERNELS, Sizes
from feedrun.papers.slay.attention.pairwise import by_pairs
from feedrun.train.optim import adamw_cosine, optax_cosine

TRAINED = {"net": True, "drawn": False}
"""Of a network's params."""


class Mechanism(Config):
    """One of ATTENDS with its budget; what it has no use for it ignores."""

    attend: Annotated[str, one_of(ATTENDS, "attention")]
    features: Count
    nodes: Count
    prf: Count
    poly: Count
    eps: Positive
    chunk: Count

    @property
    def sizes(self) -> Sizes:
        """As ATTENDS take them."""
        most = {"features": self.features, "square": self.features}
        return Sizes(self.nodes, self.prf, self.poly, self.eps, chunk=self.chunk, **most)


def chosen(mechanisms: Mapping[str, Mechanism], names: Sequence[str]) -> dict[str, Mechanism]:
    """Those of `names`; ValueError where one is not described."""
    return {name: mechanisms[known(name, mechanisms, "mechanism")] for name in names}


def drawing(
    mechanism: Mechanism, *, layers: int, heads: int, dimension: int
) -> Callable[[Any], Any]:
    """draw(keys (R,)) -> what R networks draw, with leading axes (R, layers, heads).

    Sequences are short: kernels run by pairs of positions. One compiled function a mechanism, so
    that all its draws are one kind of pytree and programs that take them compile once.
    """
    return _drawing(mechanism.attend, mechanism.sizes, layers, heads, dimension)


@cache
def _drawing(name: str, sizes: Sizes, layers: int, heads: int, dimension: int):
    one = by_pairs(name) if name in KERNELS else ATTENDS[name]

    def draw(key):
        keys = jax.random.split(key, (layers, heads))
        return jax.vmap(jax.vmap(lambda key: one(key, dimension, sizes)))(keys)

    return jax.jit(jax.vmap(draw))


def starts(keys: Any, decoder: Decoder, draw: Callable[[Any], Any]) -> dict[str, Any]:
    """Params of as many networks as keys: {"net": trained, "drawn": kept as it is}.

    Networks of one key start alike whatever their attention.
    """
    pairs = jax.vmap(jax.random.split)(keys)
    return {"net": _init(decoder)(pairs[:, 0]), "drawn": draw(pairs[:, 1])}


@cache
def _init(decoder: Decoder) -> Callable[[Any], Any]:
    nothing_drawn = Partial(softmax_attention)
    return jax.jit(jax.vmap(lambda key: decoder.init(key, nothing_drawn)))


def logits(decoder: Decoder, params: Mapping[str, Any], tokens: Any) -> Float[Array, "T V"]:
    """Of one sequence; no gradient reaches what was drawn."""
    return decoder.apply(params["net"], jax.lax.stop_gradient(params["drawn"]), tokens)[0]


@cache
def tunable(steps: int, weight_decay: float) -> optax.GradientTransformation:
    """The one optimizer of all mechanisms, its rate a number of the state (see `train.tuned`).

    The rate rises in the first tenth of the steps and falls to 0.1 as a cosine; clipped to norm 1.
    """
    shape = optax_cosine(steps, warmup=max(1, steps // 10), last=0.1)
    return adamw_cosine(shape, decay=weight_decay, trained=TRAINED, clip=1.0, rate="before shape")
