"""How near a mechanism's causal output is to exact spherical Yat attention, and for what state.

Two kinds of data for one head: Gaussian queries and keys; and keys that follow an autoregression
of coefficient 0.9 with queries near them, so that what matters is close by.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.maths.kernel_sums import gram
from feedrun.maths.linear_attention import init_state, kernel_attention, state_size
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import mechanisms
from feedrun.papers.slay.speed.layer import VARIANTS, attend_of

EXACT = "yat_blocked"
KINDS = ("gaussian", "correlated")
MEMORY, NOISE = 0.9, 0.5
"""Of the keys' autoregression; by how much queries differ from keys, whose variance is 1."""


def data(key: Key[Array, ""], kind: str, length: int, dimension: int) -> tuple[Array, ...]:
    """Queries, keys and values (T, D)."""
    q_key, k_key, v_key = jax.random.split(key, 3)
    first, second, v = (jax.random.normal(k, (length, dimension)) for k in (q_key, k_key, v_key))
    if kind == "gaussian":
        return first, second, v
    k = _autoregression(second)
    return k + NOISE * first, k, v


def drawn(key: Key[Array, ""], names: list[str], dimension: int, count: int) -> dict[str, Any]:
    """`count` draws of every variant and of the exact kernel, each a stack: one program for all."""
    keys = jax.random.split(key, len(names))
    stacks = {n: _stack(k, n, dimension, count) for n, k in zip(names, keys, strict=True)}
    return stacks | {EXACT: attend_of(EXACT)(key, dimension)}


def errors(
    key: Key[Array, ""], stacks: dict[str, Any], i: int, kind: str, *, length: int, dimension: int
) -> dict[str, float]:
    """Relative L2 distance to exact attention of every variant's i-th draw, on one draw of data."""
    qkv = data(key, kind, length, dimension)
    exact = _attended(stacks[EXACT], *qkv)
    draws = {n: jax.tree.map(lambda x: x[i], stack) for n, stack in stacks.items() if n != EXACT}
    return {name: float(_distance(_attended(a, *qkv), exact)) for name, a in draws.items()}


def state_numbers(name: str, dimension: int) -> tuple[int, int]:
    """Numbers in the sums that a decoding head keeps, and in all that it keeps."""
    variant = VARIANTS[name]
    near = variant.attend in mechanisms.EXACT_NEAR
    chunk = variant.sizes.chunk if near else 1

    def start(key, k):
        kernel = mechanisms.KERNELS[variant.attend](key, dimension, variant.sizes)
        window = mechanisms.windows(variant.attend, variant.sizes)
        return init_state(kernel, k, k, chunk=chunk, window=window)

    state = jax.eval_shape(start, jax.random.key(0), jnp.zeros(dimension))
    return state.sums.size, state_size(state)


def checks(key: Key[Array, ""], name: str, *, length: int, chunk: int, dimension: int):
    """(relative error, leak) of a variant: chunks against all pairs, and the past from the future.

    The error is the largest over two sizes of chunks, in L2; the leak the largest change of an
    output when all that comes after it changes.
    """
    variant = VARIANTS[name]
    data_key, other_key, draw_key = jax.random.split(key, 3)
    qkv = data(data_key, "gaussian", length, dimension)
    others = data(other_key, "gaussian", length, dimension)
    kernel = mechanisms.KERNELS[variant.attend](draw_key, dimension, variant.sizes)
    window = mechanisms.windows(variant.attend, variant.sizes)
    found = [_check(kernel, qkv, others, chunk=c, window=window) for c in (chunk, length // 2 + 1)]
    return tuple(np.max(np.array(found), axis=0))


def _check(kernel, qkv, others, **near):
    """Both calls by one program: another one would round differently, which is no leak."""
    half = len(qkv[0]) // 2 + 3
    changed = (jnp.concatenate([a[:half], b[half:]]) for a, b in zip(qkv, others, strict=True))
    out, after = _in_chunks(kernel, *qkv, **near), _in_chunks(kernel, *changed, **near)
    leak = jnp.abs(after - out)[:half].max()
    return float(_distance(out, _written_out(kernel, *qkv, **near))), float(leak)


@partial(jax.jit, static_argnames=("chunk", "window"))
def _in_chunks(kernel, q, k, v, *, chunk, window):
    how = {"causal": True, "chunk": chunk, "window": window, "delta": mechanisms.DELTA}
    return kernel_attention(kernel, q, k, v, **how)


@partial(jax.jit, static_argnames=("chunk", "window"))
def _written_out(kernel, q, k, v, *, chunk, window):
    """The same from one matrix of all pairs."""
    K = gram(kernel.phi_q(q), kernel.phi_k(k))
    if kernel.scores:
        part = jnp.arange(len(k)) // chunk
        K = jnp.where(part[:, None] - part[None] <= window, kernel.scores(q, k), K)
    return theory.kernel_attention(K, v, causal=True, delta=mechanisms.DELTA)


@jax.jit
def _attended(attend, q, k, v):
    return attend(q, k, v, causal=True)


def _distance(a: Float[Array, "T E"], b: Float[Array, "T E"]):
    return jnp.linalg.norm(a - b) / jnp.linalg.norm(b)


def _stack(key, name, dimension, count):
    return jax.vmap(lambda key: attend_of(name)(key, dimension))(jax.random.split(key, count))


def _autoregression(noise):
    """z_t = 0.9 z_{t-1} + sqrt(1 - 0.81) e_t, of unit variance from the start."""

    def step(z, e):
        z = MEMORY * z + (1 - MEMORY**2) ** 0.5 * e
        return z, z

    return jnp.concatenate([noise[:1], jax.lax.scan(step, noise[0], noise[1:])[1]])
