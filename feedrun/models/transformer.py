"""A decoder transformer whose attention is an argument: pre-LN, causal, learned positions."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Int

from feedrun.maths.attention import softmax_attention
from feedrun.models import Model
from feedrun.models.block import Block

Attend = Callable[[Array, Array, Array], Array]
"""attend(q, k, v) -> out for one head: (T, D), (T, D), (T, D) -> (T, D), causal."""

CAUSAL_SOFTMAX: Attend = partial(softmax_attention, causal=True)


class _Transformer(nn.Module):
    """Tokens (T,) to logits (T, V)."""

    vocabulary: int
    length: int
    width: int
    heads: int
    layers: int
    attend: Attend

    @nn.compact
    def __call__(self, tokens):
        normal = nn.initializers.normal(0.02)
        places = (self.length, self.width)
        positions = self.param("positions", normal, places, jnp.float32)  # as flax's own weights
        x = nn.Embed(self.vocabulary, self.width, name="tokens")(tokens)
        x = x + positions[: len(tokens)]
        for layer in range(self.layers):
            x = Block(self.heads, name=f"block_{layer}")(x, jax.vmap(self.attend))
        return nn.Dense(self.vocabulary, name="logits")(nn.LayerNorm(name="norm")(x))


def transformer(
    *,
    vocabulary: int,
    length: int,
    width: int,
    heads: int,
    layers: int,
    attend: Attend = CAUSAL_SOFTMAX,
) -> Model:
    """Next-token logits of sequences of up to `length` tokens below `vocabulary`.

    Weights start in float32; the computation follows their dtype.
    """
    if width % heads:
        raise ValueError(f"width {width} is not a multiple of heads {heads}")
    net = _Transformer(vocabulary, length, width, heads, layers, attend)

    def init(key):
        return net.init(key, jnp.zeros(length, int))

    def apply(params, tokens: Int[Array, "T"]) -> Any:
        if len(tokens) > length:
            raise ValueError(f"got {len(tokens)} tokens, the model has {length} positions")
        return net.apply(params, tokens)

    return Model(init, apply)
