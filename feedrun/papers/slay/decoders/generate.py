"""Generation with a state of fixed size, and by the parallel form run anew for every byte."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from feedrun.maths import linear_attention
from feedrun.maths.kernel_sums import Kernel
from feedrun.models.decoder import Decoder


def kernel_of(drawn: Any) -> Kernel:
    """The kernel within what `training.drawing` drew; ValueError where there is none."""
    for inside in (drawn, *getattr(drawn, "args", ())):
        for arg in getattr(inside, "args", ()):
            if isinstance(arg, Kernel):
                return arg
    raise ValueError("only attention by a kernel with features has a state of fixed size")


def recurrent(delta: float) -> Any:
    """A mixing (see `models.decoder`) of one position, its memory (kernel, state) of each head."""

    def mix(memory, q, k, v):
        kernel, state = memory
        one = partial(linear_attention.step, delta=delta)
        state, out = jax.vmap(one)(kernel, state, q[:, 0], k[:, 0], v[:, 0])
        return out[:, None], (kernel, state)

    return mix


def empty(
    kernels: Kernel, *, layers: int, heads: int, dimension: int, chunk: int, window: int
) -> Any:
    """Memory before the first position, for kernels with leading axes (layers, heads).

    `chunk`, `window`: see `linear_attention.init_state`.
    """
    row = jnp.zeros(dimension)
    # Its size is the same for all heads: one of them gives it, the axes are put before it.
    first = jax.tree.map(lambda leaf: leaf[0, 0], kernels)
    state = linear_attention.init_state(first, row, row, chunk=chunk, window=window)
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (layers, heads, *x.shape)), state)
    return kernels, states


@partial(jax.jit, static_argnames=("decoder", "length"))
def stream(
    key: Any,
    temperature: Any,
    params: Any,
    memory: Any,
    prompt: Int[Array, "P"],
    *,
    decoder: Decoder,
    length: int,
) -> Int[Array, "T"]:
    """`length` tokens that begin with `prompt`, each in O(1); temperature 0 is the most likely."""

    def step(carry, place):
        memory, token = carry
        logits, memory = decoder.apply(params, memory, token[None], place)
        said = _drawn(key, temperature, logits[0], place + 1)
        following = jnp.where(place + 1 < len(prompt), given[place + 1], said)
        return (memory, following.astype(prompt.dtype)), token

    given = jnp.pad(prompt, (0, length + 1 - len(prompt)))
    return jax.lax.scan(step, (memory, prompt[0]), jnp.arange(length))[1]


@partial(jax.jit, static_argnames=("decoder", "length"))
def rerun(
    key: Any,
    temperature: Any,
    params: Any,
    drawn: Any,
    prompt: Int[Array, "P"],
    *,
    decoder: Decoder,
    length: int,
) -> Int[Array, "T"]:
    """The same tokens from the parallel form over all `length` positions, once for each token."""

    def step(tokens, place):
        logits, _ = decoder.apply(params, drawn, tokens)
        said = _drawn(key, temperature, logits[place - 1], place)
        return tokens.at[place].set(said.astype(tokens.dtype)), None

    tokens = jnp.pad(prompt, (0, length - len(prompt)))
    return jax.lax.scan(step, tokens, jnp.arange(len(prompt), length))[0]


def _drawn(key, temperature, logits, place):
    """The token at a place, by the Gumbel trick: its noise is a function of (key, place)."""
    noise = jax.random.gumbel(jax.random.fold_in(key, place), logits.shape, logits.dtype)
    return (logits + jnp.asarray(temperature, logits.dtype) * noise).argmax()
