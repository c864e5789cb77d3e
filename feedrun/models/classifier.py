"""A transformer encoder that classifies padded token sequences, or pairs of them.

Long Range Arena's (arXiv 2011.04006): pre-LN, learned positions, mean or CLS pooling. Only the
attention is an argument, or a recurrence in its place.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.tree_util import Partial
from jaxtyping import Array, Float, Integer, Key

from feedrun.models.bidirectional import Recurrence, RecurrentBlock
from feedrun.models.block import Block, wide

Attend = Callable[..., Any]
"""attend(q, k, v, *, causal, mask) -> out for one head; a pytree of what was drawn for it."""

Pool = Literal["mean", "cls"]


class Sizes(NamedTuple):
    """Of a classifier: `length` tokens at most, `hidden` units in the mlps.

    `qkv`: query, key and value width of all heads together; `drop`: the share of embeddings, and
    of what each block adds, that is dropped in training.
    """

    vocabulary: int
    classes: int
    length: int
    layers: int
    width: int
    qkv: int
    heads: int
    hidden: int
    pool: Pool
    drop: float = 0.0


class Classifier(NamedTuple):
    """init(key) -> params {"weights": to be trained, "drawn": of the attention, fixed}.

    apply(params, tokens, length, key=None) -> logits (C,) of tokens (T,), the first `length` of
    them, or of a pair, (2, T) and (2,). With a key there is dropout.
    attention(params, tokens, length) -> weights (layers, heads, T, T), of a pair of its first;
    a recurrence has none and raises ValueError.
    """

    init: Callable[[Any], Any]
    apply: Callable[..., Any]
    attention: Callable[..., Any]


def classifier(
    sizes: Sizes,
    draw: Callable[[Key[Array, ""]], Attend] | Recurrence,
    *,
    pairs: bool,
    dtype: Any = None,
    remat: bool = False,
) -> Classifier:
    """A classifier whose every head attends by an attention of its own, `draw(key)`.

    What was drawn belongs to the params, from the key of `init`, and gets no gradient. With a
    `Recurrence` the same blocks mix by a selective state space in both directions, with about as
    many parameters, and nothing is drawn. `dtype`: of embeddings, projections and mlps (None: that
    of the params); attention, recurrences, pooling and logits are in float32 at least. `remat`:
    blocks are computed anew in the backward pass, not stored.
    """
    if sizes.qkv % sizes.heads:
        raise ValueError(f"qkv={sizes.qkv} is not a multiple of heads={sizes.heads}")
    mixing = draw if isinstance(draw, Recurrence) else _structure(draw)
    net, still = (_Classifier(s, mixing, remat) for s in (sizes, sizes._replace(drop=0.0)))
    shape = (2, sizes.length) if pairs else (sizes.length,)

    @jax.jit  # the same program whatever attends, so that a compile cache has it
    def weights(key):
        tokens, length = jnp.zeros(shape, int), jnp.full(shape[:-1], sizes.length)
        return still.init(key, tokens, length, [])["params"]

    @jax.jit
    def drawn(keys):  # in turn, not vmapped: random numbers of several keys take long to compile
        if isinstance(draw, Recurrence):
            return []
        return jax.lax.map(partial(jax.lax.map, partial(_leaves, draw)), keys)

    def init(key):
        weight_key, attend_key = jax.random.split(key)
        keys = jax.random.split(attend_key, (sizes.layers, sizes.heads))
        return {"weights": weights(weight_key), "drawn": drawn(keys)}

    def run(net, params, tokens, length, **options):
        if tokens.shape[-1] > sizes.length:
            raise ValueError(f"got {tokens.shape[-1]} tokens, the model has {sizes.length}")
        drawn = jax.lax.stop_gradient(params["drawn"])
        weights = jax.tree.map(lambda w: w.astype(dtype or w.dtype), params["weights"])
        return net.apply({"params": weights}, tokens, length, drawn, **options)

    def apply(params, tokens: Integer[Array, "... T"], length: Any, key: Any = None) -> Any:
        if key is None:
            return run(still, params, tokens, length)
        return run(net, params, tokens, length, rngs={"dropout": key})

    def attention(params, tokens: Integer[Array, "... T"], length: Any) -> Float[Array, "L H S S"]:
        if isinstance(draw, Recurrence):
            raise ValueError("a recurrence has no attention weights")
        found: Any = run(still, params, tokens, length, mutable=["intermediates"])
        blocks, rows = found[1]["intermediates"]["encoder"], []
        for layer in range(sizes.layers):
            q, k, _ = blocks[f"block_{layer}"]["heads"][0]
            mask = jnp.arange(k.shape[1]) < jnp.ravel(length)[0] + (sizes.pool == "cls")
            one_hot = jnp.broadcast_to(
                jnp.eye(k.shape[1], dtype=k.dtype), (len(k), *[k.shape[1]] * 2)
            )
            rows.append(_heads(mixing, [x[layer] for x in params["drawn"]], mask, q, k, one_hot))
        return jnp.stack(rows)

    return Classifier(init, apply, attention)


class _Classifier(nn.Module):
    """One encoder, for both of a pair, and Long Range Arena's head on top of it."""

    sizes: Sizes
    mixing: Any
    remat: bool

    @nn.compact
    def __call__(self, tokens, length, drawn):
        hidden, encoder = (
            self.sizes.hidden,
            _Encoder(self.sizes, self.mixing, self.remat, name="encoder"),
        )
        if tokens.ndim == 1:
            x = encoder(tokens, length, drawn)
        else:
            a, b = (encoder(tokens[i], length[i], drawn) for i in (0, 1))
            x = jnp.concatenate([a, b, a * b, a - b])
        for layer, width in enumerate([hidden] if tokens.ndim == 1 else [hidden, hidden // 2]):
            x = nn.relu(nn.Dense(width, name=f"head_{layer}")(x))
        return nn.Dense(self.sizes.classes, name="logits")(x)


class _Encoder(nn.Module):
    """Tokens (T,), the first `length` of them, to features (D,)."""

    sizes: Sizes
    mixing: Any
    remat: bool

    @nn.compact
    def __call__(self, tokens, length, drawn):
        s, normal = self.sizes, nn.initializers.normal(0.02)
        x = nn.Embed(s.vocabulary, s.width, name="tokens")(tokens.astype(int))
        if s.pool == "cls":
            x = jnp.concatenate([self.param("cls", normal, (1, s.width), jnp.float32), x])
        places = (s.length + len(x) - len(tokens), s.width)
        x = x + self.param("positions", normal, places, jnp.float32)[: len(x)]
        x = nn.Dropout(s.drop, deterministic=False)(x)
        length = length + len(x) - len(tokens)
        mask = jnp.arange(len(x)) < length
        for layer in range(s.layers):
            if isinstance(self.mixing, Recurrence):
                x = self._block(RecurrentBlock, layer, recurrence=self.mixing)(x, length)
                continue
            heads = Partial(partial(_heads, self.mixing), [leaf[layer] for leaf in drawn], mask)
            heads = _values if self.is_initializing() else heads
            x = self._block(Block, layer)(x, heads)
        x = wide(nn.LayerNorm(name="norm")(x))
        return x[0] if s.pool == "cls" else jnp.where(mask[:, None], x, 0).sum(0) / mask.sum()

    def _block(self, kind, layer, **more):
        s, kind = self.sizes, nn.remat(kind) if self.remat else kind
        return kind(s.heads, s.qkv, s.hidden, s.drop, name=f"block_{layer}", **more)


def _leaves(draw, key):
    """What one head draws."""
    return jax.tree.leaves(draw(key))


def _structure(draw):
    """Of what one head draws."""
    return jax.tree.structure(jax.eval_shape(draw, jax.eval_shape(jax.random.key, 0)))


def _heads(tree, drawn, mask, q, k, v):
    """Every head by its own attend, for q, k, v (H, T, D)."""

    def head(drawn, q, k, v):
        return jax.tree.unflatten(tree, drawn)(q, k, v, causal=False, mask=mask)

    return jax.vmap(head)(drawn, *map(wide, (q, k, v))).astype(v.dtype)


def _values(q, k, v):
    """In place of any attention while weights are drawn, which do not depend on it."""
    return v
