"""The pre-LN transformer block that the decoder and the classifier share, and its precision."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), for x (T, D).

    heads:  each of query, key and value width `qkv` / heads (`qkv` 0: together as wide as x).
    hidden: width of the mlp; 0: 4 D.
    drop:   share of what either part adds that is dropped (rng "dropout").
    """

    heads: int
    qkv: int = 0
    hidden: int = 0
    drop: float = 0.0

    @nn.compact
    def __call__(self, x, attend: Any):
        """`attend` gets q, k, v (heads, T, width) of all heads; sown as "heads"."""
        D, drop = x.shape[1], nn.Dropout(self.drop, deterministic=False)
        x = x + drop(self.mixed(nn.LayerNorm(name="norm_attend")(x), attend))
        up = nn.Dense(self.hidden or 4 * D, name="up")(nn.LayerNorm(name="norm_mlp")(x))
        return x + drop(nn.Dense(D, name="down")(nn.gelu(up)))

    def mixed(self, x, attend: Callable[[Array, Array, Array], Array]):
        """What other positions say to each (T, D): multi-head attention."""
        T, D = x.shape
        inner = self.qkv or D
        qkv = nn.Dense(3 * inner, use_bias=False, name="qkv")(x)
        q, k, v = qkv.reshape(T, 3, self.heads, -1).transpose(1, 2, 0, 3)
        self.sow("intermediates", "heads", (q, k, v))
        mixed = attend(q, k, v).transpose(1, 0, 2).reshape(T, inner)
        return nn.Dense(D, use_bias=False, name="out")(mixed)


def wide(x):
    """x in float32 at least: features, denominators and long sums need their digits."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
