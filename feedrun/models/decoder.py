"""Decoders whose sequence mixing is an argument, with what it draws or remembers beside them.

A mixing is mix(memory, q, k, v) -> (out, memory) for one layer, on (H, T, D) each: `memory` holds
the random features of its heads, or while decoding their states. It is passed through the network,
never trained.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from feedrun.models.block import wide

Mix = Callable[[Any, Array, Array, Array], tuple[Array, Any]]


class Decoder(NamedTuple):
    """init(key, memory) -> params; apply(params, memory, tokens, start=0) -> (logits, memory).

    `memory` has a leading axis of layers. `start` is the position of the first token.
    """

    init: Callable[..., Any]
    apply: Callable[..., tuple[Float[Array, "T V"], Any]]


def attention(memory: Any, q: Array, k: Array, v: Array) -> tuple[Array, Any]:
    """The mixing of a training: each head's own attend, all of it causal."""
    return jax.vmap(lambda attend, *qkv: attend(*qkv, causal=True))(memory, q, k, v), memory


def bare(
    *, vocabulary: int, length: int, width: int, heads: int, layers: int, mix: Mix = attention
) -> Decoder:
    """Token plus learned position, x + mixing(x) a layer, a linear head; no norm, no MLP.

    The network of the synthetic tasks of arXiv 2602.04915, started as PyTorch starts by default:
    embeddings N(0, 1), weights and biases uniform in +-1/sqrt(inputs).
    """
    _check(width, heads)
    net = _Bare(vocabulary, length, width, heads, layers, mix)
    return _decoder(net, length)


def standard(
    *,
    vocabulary: int,
    width: int,
    heads: int,
    layers: int,
    places: Literal["learned", "previous"],
    length: int | None = None,
    mix: Mix = attention,
    dtype: Any = None,
    remat: bool = False,
) -> Decoder:
    """Pre-LN blocks with an MLP of hidden width 4 D.

    `places`: "learned" adds an embedding of the position, of `length` of them; "previous" one of
    the token before (Olsson et al. 2022 smear keys alike), so that any length can be asked for.

    `dtype`: of embeddings, projections and mlps (None: that of the params); mixing and logits are
    in float32 at least. `remat`: blocks are computed anew in the backward pass, not stored.
    """
    _check(width, heads)
    if (places == "learned") != (length is not None):
        raise ValueError(f'"learned" places need a length and others have none, got {places!r}')
    net = _Standard(vocabulary, length or 0, width, heads, layers, mix, remat)
    return _decoder(net, length, dtype)


def _check(width: int, heads: int) -> None:
    if width % heads:
        raise ValueError(f"width {width} is not a multiple of heads {heads}")


def _decoder(net: nn.Module, length: int | None, dtype: Any = None) -> Decoder:
    def init(key, memory):
        return net.init(key, memory, jnp.zeros(2 if length is None else length, int), 0)

    def apply(params, memory, tokens: Int[Array, "T"], start: Any = 0):
        if length is not None and len(tokens) > length:
            raise ValueError(f"got {len(tokens)} tokens, the model has {length} positions")
        weights = jax.tree.map(lambda w: w.astype(dtype or w.dtype), params)
        return net.apply(weights, memory, tokens, start)

    return Decoder(init, apply)


def _uniform(key, shape, dtype=jnp.float32):
    """U(+-1/sqrt(inputs)), the inputs being the first axis."""
    bound = shape[0] ** -0.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)


class _Mixing(nn.Module):
    """Multi-head mixing without biases."""

    heads: int
    mix: Mix
    start: Any = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, memory, x):
        T, D = x.shape
        options = {"use_bias": False, "kernel_init": self.start}
        qkv = nn.Dense(3 * D, name="qkv", **options)(x)
        parts = jnp.split(wide(qkv), 3, axis=1)  # its gradient is put together, not added up
        q, k, v = (part.reshape(T, self.heads, -1).transpose(1, 0, 2) for part in parts)
        mixed, memory = self.mix(memory, q, k, v)
        mixed = mixed.transpose(1, 0, 2).reshape(T, D).astype(x.dtype)
        return nn.Dense(D, name="out", **options)(mixed), memory


class _Bare(nn.Module):
    vocabulary: int
    length: int
    width: int
    heads: int
    layers: int
    mix: Mix

    @nn.compact
    def __call__(self, memory, tokens, start):
        normal, D = nn.initializers.normal(1.0), self.width
        x = nn.Embed(self.vocabulary, D, embedding_init=normal, name="tokens")(tokens)
        positions = self.param("positions", normal, (self.length, D), jnp.float32)
        x, after = x + jax.lax.dynamic_slice_in_dim(positions, start, len(tokens)), []
        for layer in range(self.layers):
            mixing = _Mixing(self.heads, self.mix, _uniform, name=f"mixing_{layer}")
            more, left = mixing(_of(memory, layer), x)
            x, after = x + more, [*after, left]

        def bias(key, shape, dtype):
            return jax.random.uniform(key, shape, dtype, -(D**-0.5), D**-0.5)

        head = nn.Dense(self.vocabulary, kernel_init=_uniform, bias_init=bias, name="logits")
        return head(x), _stacked(after)


class _Standard(nn.Module):
    vocabulary: int
    length: int
    width: int
    heads: int
    layers: int
    mix: Mix
    remat: bool

    @nn.compact
    def __call__(self, memory, tokens, start):
        x = nn.Embed(self.vocabulary, self.width, name="tokens")(tokens)
        if self.length:
            normal, shape = nn.initializers.normal(0.02), (self.length, self.width)
            positions = self.param("positions", normal, shape, jnp.float32)
            x = x + jax.lax.dynamic_slice_in_dim(positions, start, len(tokens))
        else:
            before = jnp.concatenate([jnp.full(1, self.vocabulary, tokens.dtype), tokens[:-1]])
            x = x + nn.Embed(self.vocabulary + 1, self.width, name="previous")(before)
        after = []
        for layer in range(self.layers):
            block = partial(_Standard._block, layer=layer)
            x, left = (nn.remat(block) if self.remat else block)(self, _of(memory, layer), x)
            after.append(left)
        x = wide(nn.LayerNorm(name="norm")(x))
        return nn.Dense(self.vocabulary, name="logits")(x), _stacked(after)

    def _block(self, memory, x, *, layer):
        def named(what):
            return f"{what}_{layer}"

        mixing = _Mixing(self.heads, self.mix, name=named("mixing"))
        more, memory = mixing(memory, nn.LayerNorm(name=named("norm_mixing"))(x))
        x = x + more
        up = nn.Dense(4 * self.width, name=named("up"))(nn.LayerNorm(name=named("norm_mlp"))(x))
        return x + nn.Dense(self.width, name=named("down"))(nn.gelu(up)), memory


def _of(memory, layer):
    return jax.tree.map(lambda leaf: leaf[layer], memory)


def _stacked(memories):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *memories)
