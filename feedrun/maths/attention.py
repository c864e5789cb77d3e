"""Attention of queries to keys and values, for one head: heads and batch are the caller's vmap."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def softmax_attention(
    q: Float[Array, "T D"],
    k: Float[Array, "S D"],
    v: Float[Array, "S E"],
    *,
    causal: bool,
    mask: Bool[Array, "S"] | None = None,
) -> Float[Array, "T E"]:
    """softmax(q k^T / sqrt(D)) v; `causal`: the last query sees all keys, each one before it less.

    Of a `mask` only the keys it has, and zero where a query sees none. O(T S (D + E)).
    """
    if mask is not None:
        k, v = (jnp.where(mask[:, None], x, 0) for x in (k, v))  # even if they are NaN
    scores = q @ k.T / q.shape[1] ** 0.5
    if causal:
        scores = jnp.where(visible(len(q), len(k)), scores, -jnp.inf)
    if mask is None:
        return jax.nn.softmax(scores, axis=1) @ v
    scores = jnp.where(mask[None], scores, -jnp.inf)
    some = jnp.isfinite(scores).any(axis=1, keepdims=True)
    return jnp.where(some, jax.nn.softmax(jnp.where(some, scores, 0), axis=1) @ v, 0)


def visible(T: int, S: int) -> Bool[Array, "T S"]:
    """Which of S keys each of the last T positions may see: those up to its own."""
    if S < T:
        raise ValueError(f"causal attention of {T} queries needs as many keys, got {S}")
    return jnp.arange(S)[None] <= jnp.arange(S - T, S)[:, None]


def blocked_softmax_attention(
    q: Float[Array, "T D"],
    k: Float[Array, "S D"],
    v: Float[Array, "S E"],
    *,
    causal: bool,
    block: int,
) -> Float[Array, "T E"]:
    """The same, `block` queries at a time: O(block S) memory; the backward pass repeats each."""
    T, S = len(q), len(k)
    rows = jnp.pad(q, ((0, -T % block), (0, 0))).reshape(-1, block, q.shape[1])
    last = S - T + jnp.arange(len(rows) * block).reshape(-1, block)

    @jax.checkpoint
    def attend(x):
        q, last = x
        scores = q @ k.T / q.shape[1] ** 0.5
        if causal:
            scores = jnp.where(jnp.arange(S)[None] <= last[:, None], scores, -jnp.inf)
        return jax.nn.softmax(scores, axis=1) @ v

    return jax.lax.map(attend, (rows, last)).reshape(-1, v.shape[1])[:T]
