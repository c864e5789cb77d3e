"""Attention of queries to keys and values, for one head: heads and batch are the caller's vmap."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def softmax_attention(
    q: Float[Array, "T D"], k: Float[Array, "S D"], v: Float[Array, "S E"], *, causal: bool
) -> Float[Array, "T E"]:
    """softmax(q k^T / sqrt(D)) v; `causal`: the last query sees all keys, each one before it less.

    O(T S (D + E)).
    """
    scores = q @ k.T / q.shape[1] ** 0.5
    if causal:
        scores = jnp.where(visible(len(q), len(k)), scores, -jnp.inf)
    return jax.nn.softmax(scores, axis=1) @ v


def visible(T: int, S: int) -> Bool[Array, "T S"]:
    """Which of S keys each of the last T positions may see: those up to its own."""
    if S < T:
        raise ValueError(f"causal attention of {T} queries needs as many keys, got {S}")
    return jnp.arange(S)[None] <= jnp.arange(S - T, S)[:, None]
