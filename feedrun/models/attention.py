"""Causal attention as a mixer (T, D) -> (T, D) that can also take one step at a time.

"softmax"; "linear", o_t = sum_{s<=t} (q_t . k_s) v_s / t; "linear_elu", the same with elu + 1 of
queries and keys and divided by the sum of their weights (arXiv 2006.16236).
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from feedrun.maths.attention import softmax_attention
from feedrun.maths.positions import alibi, alibi_slopes, rotary
from feedrun.maths.recurrences import ssd, ssd_step
from feedrun.models.streaming import ShortConvolution, over_time, positions


class Attention(nn.Module):
    """Multi-head attention of a sequence to its past, its keys cached when streaming.

    kind: "softmax", "linear" or "linear_elu"; places: "none", "rope" or "alibi". The cache of
    "softmax" has room for `length` elements; the linear ones need none.
    """

    heads: int
    kind: str
    places: str
    conv: bool
    length: int
    chunk: int
    streaming: bool

    @nn.compact
    def __call__(self, x):
        T, D = x.shape
        x_in = ShortConvolution(self.streaming, name="conv")(x) if self.conv else x
        qkv = nn.Dense(3 * D, use_bias=False, name="qkv")(x_in)
        q, k, v = qkv.reshape(T, 3, self.heads, -1).transpose(1, 0, 2, 3)
        counts = self.places != "none" or self.kind == "linear"
        at = positions(self, T) if counts else None
        q, k = self._placed(q, k, at)
        mixed = _softmax(self, q, k, v) if self.kind == "softmax" else _linear(self, q, k, v, at)
        return nn.Dense(D, use_bias=False, name="out")(mixed.reshape(T, D))

    def _placed(self, q, k, at):
        """Queries and keys (T, H, P) with the positions that this attention has."""
        if self.places == "none":
            return q, k
        if self.places == "rope":
            turn = jax.vmap(rotary, (1, None), 1)
            return turn(q, at), turn(k, at)
        return jax.vmap(alibi, (1, 1, None, 0), 1)(q, k, at, alibi_slopes(self.heads, q.dtype))


def _softmax(module, q, k, v):
    """Softmax attention of (T, H, P), or of one step to a cache of (length, H, P)."""
    cache = tuple(jnp.zeros((module.length, *x.shape[1:]), x.dtype) for x in (k, v))

    def step(state, q, k, v):
        keys, values, count = state
        keys, values = keys.at[count].set(k), values.at[count].set(v)
        seen = jnp.arange(len(keys)) <= count

        def one(q, k, v):
            return softmax_attention(q[None], k, v, causal=False, mask=seen)[0]

        return (keys, values, count + 1), jax.vmap(one, (0, 1, 1))(q, keys, values)

    whole = jax.vmap(partial(softmax_attention, causal=True), 1, 1)
    start = (*cache, jnp.zeros((), jnp.int32))
    return over_time(module, "cache", whole, step, start, q, k, v)


def _linear(module, q, k, v, at):
    """Sums over the past as a recurrence without decay, divided by their number or weights."""
    (T, H, P), normalised = v.shape, module.kind == "linear_elu"
    if normalised:
        q, k = nn.elu(q) + 1, nn.elu(k) + 1
        v = jnp.concatenate([v, jnp.ones((T, H, 1), v.dtype)], axis=2)
    no_decay = jnp.zeros((T, H), v.dtype)
    sums = over_time(
        module,
        "sums",
        jax.vmap(partial(ssd, chunk=module.chunk), 1, 1),
        jax.vmap(ssd_step),
        jnp.zeros((H, P, v.shape[2]), v.dtype),
        *(v, no_decay, k, q),
    )
    if normalised:
        return sums[..., :P] / sums[..., P:]
    return sums / (at + 1)[:, None, None]
