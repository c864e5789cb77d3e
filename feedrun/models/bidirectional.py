"""A selective state space in the place of attention: Mamba-2's mixer, forwards and backwards.

One state of a fixed size reads the sequence from its start, another from its end, and what they say
to a position is added up, as bidirectional Mamba does (arXiv 2401.09417).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from feedrun.models.block import Block, wide
from feedrun.models.recurrent import SSD
from feedrun.models.streaming import CONVOLUTION


class Recurrence(NamedTuple):
    """A selective state space: `states` numbers a channel, `chunk` positions at a time."""

    states: int
    chunk: int


class BothWays(nn.Module):
    """SSD of x (T, D) from the first element on, plus SSD from the last of `length` back to it.

    What stands behind the first `length` elements is never read by them. In float32 at least:
    decays over many steps are products.
    """

    recurrence: Recurrence
    inner: int
    heads: int

    @nn.compact
    def __call__(self, x, length):
        read = wide(x)
        turned = backwards(len(x), length)
        each = nn.vmap(SSD, variable_axes={"params": 0}, split_rngs={"params": True})
        mixer = _direction(each, self.recurrence, self.inner, self.heads, name="directions")
        ahead, behind = mixer(jnp.stack([read, _rows(read, turned)]))
        return (ahead + _rows(behind, turned)).astype(x.dtype)


class RecurrentBlock(Block):
    """The block with `BothWays` for attention; it is called with x and the length."""

    recurrence: Recurrence = Recurrence(states=1, chunk=1)

    def mixed(self, x, attend):
        """What both states say to each of x (T, D); `attend` is the length."""
        inner = matched(self.recurrence, x.shape[1], self.heads, self.qkv)
        return BothWays(self.recurrence, inner, self.heads, name="both_ways")(x, attend)


def backwards(size: int, length: Int[Array, ""]) -> Int[Array, "T"]:
    """Which element comes at each place if the first `length` of `size` are turned round.

    What stands behind them stays behind. Done twice it does nothing.
    """
    return (length - 1 - jnp.arange(size)) % size


def matched(recurrence: Recurrence, width: int, heads: int, qkv: int) -> int:
    """The inner width, a multiple of `heads`, with about as many parameters as attention.

    Attention of `qkv` channels has 4 `width` `qkv`.
    """

    def count(multiple: int) -> int:
        one = _direction(SSD, recurrence, multiple * heads, heads, parent=None)
        x = jax.ShapeDtypeStruct((2, width), jnp.float32)
        shapes = jax.eval_shape(one.init, jax.eval_shape(jax.random.key, 0), x)
        return 2 * sum(leaf.size for leaf in jax.tree.leaves(shapes))

    first, second = count(1), count(2)  # the count is linear in the inner width
    return heads * max(1, 1 + round((4 * width * qkv - first) / (second - first)))


def state(recurrence: Recurrence, width: int, heads: int, qkv: int) -> int:
    """Numbers that both directions keep of what they have read, convolutions' inputs included."""
    inner, states = matched(recurrence, width, heads, qkv), recurrence.states
    return 2 * (inner * states + (CONVOLUTION - 1) * (inner + 2 * states))


def _direction(kind: Any, recurrence: Recurrence, inner: int, heads: int, **place: Any) -> Any:
    sizes = {"inner": inner, "heads": heads, **recurrence._asdict()}
    return kind(decay="selective", conv=True, streaming=False, **sizes, **place)


def _rows(x: Float[Array, "T D"], order: Int[Array, "T"]) -> Float[Array, "T D"]:
    return x.at[order].get(mode="promise_in_bounds", unique_indices=True)
