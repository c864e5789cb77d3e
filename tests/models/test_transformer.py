"""The decoder transformer against its written-out form, and what its attention may see."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.models.transformer import CAUSAL_SOFTMAX, transformer

SIZES: Any = {"vocabulary": 11, "length": 9, "width": 8, "heads": 2, "layers": 2}
TOKENS = jnp.asarray([3, 1, 4, 1, 5, 9, 2, 6, 5])


@functools.cache
def initial():
    return jax.jit(transformer(**SIZES).init)(jax.random.key(0))


def make(dtype=jnp.float64, **changes):
    """The model and its weights, moved so that none is still the 0 or 1 it may start from."""

    def moved(leaf):
        return (leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)).astype(dtype)

    return transformer(**SIZES | changes), jax.tree.map(moved, initial())


def running_mean(q, k, v):
    """An attention that looks at nothing but positions."""
    return jnp.cumsum(v, axis=0) / jnp.arange(1, len(v) + 1)[:, None]


def norm(x, p):
    """Layer norm over the features, with scale and bias."""
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6)
    return centred / spread * p["scale"][None] + p["bias"][None]


def written_out(params, tokens, attend):
    """The same network head by head and block by block."""
    p = params["params"]
    x = p["tokens"]["embedding"][tokens] + p["positions"][: len(tokens)]
    for name in ("block_0", "block_1"):
        b = p[name]
        q, k, v = jnp.split(norm(x, b["norm_attend"]) @ b["qkv"]["kernel"], 3, axis=1)
        heads = [attend(q[:, h], k[:, h], v[:, h]) for h in (slice(0, 4), slice(4, 8))]
        x = x + jnp.concatenate(heads, axis=1) @ b["out"]["kernel"]
        hidden = norm(x, b["norm_mlp"]) @ b["up"]["kernel"] + b["up"]["bias"][None]
        x = x + jax.nn.gelu(hidden) @ b["down"]["kernel"] + b["down"]["bias"][None]
    return norm(x, p["norm"]) @ p["logits"]["kernel"] + p["logits"]["bias"][None]


@pytest.mark.parametrize("attend", [CAUSAL_SOFTMAX, running_mean])
def test_output_equals_the_written_out_network(attend):
    model, params = make(attend=attend)
    # No bias or scale may hide behind its initial 0 or 1.
    params = jax.tree.map(
        lambda leaf: leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), params
    )
    expected = written_out(params, TOKENS, attend)
    np.testing.assert_allclose(jax.jit(model.apply)(params, TOKENS), expected, rtol=1e-10)


def test_logits_ignore_the_future():
    model, params = make()
    logits, other = (model.apply(params, TOKENS.at[5].set(token)) for token in (0, 10))
    np.testing.assert_array_equal(logits[:5], other[:5])
    assert (jnp.abs(logits[5:] - other[5:]).max(axis=1) > 0).all()


def test_a_shorter_sequence_has_the_logits_of_its_place_in_a_longer_one():
    model, params = make()
    part = model.apply(params, TOKENS[:4])
    np.testing.assert_allclose(part, model.apply(params, TOKENS)[:4], rtol=1e-10)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_computation_follows_the_dtype_of_the_weights(dtype):
    model, params = make(dtype)
    assert model.apply(params, TOKENS).dtype == dtype


def test_weights_start_in_float32():
    assert {leaf.dtype for leaf in jax.tree.leaves(initial())} == {jnp.dtype(jnp.float32)}


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="width 9 is not a multiple of heads 2"):
        transformer(**SIZES | {"width": 9})
    model, params = make()
    with pytest.raises(ValueError, match="got 10 tokens, the model has 9 positions"):
        model.apply(params, jnp.zeros(10, int))
