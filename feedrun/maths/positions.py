"""Positions as a change of queries and keys, so that any attention of one head can have them."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def rotary(x: Float[Array, "T D"], positions: Int[Array, "T"]) -> Float[Array, "T D"]:
    """Feature pairs (i, i + D/2) turned by positions * 10000^(-2i/D): RoPE (arXiv 2104.09864).

    Products of two such rows depend on the difference of their positions only. D must be even.
    """
    D = x.shape[1]
    if D % 2:
        raise ValueError(f"rotary positions turn pairs of features; a head has {D} of them")
    rates = 10000.0 ** (-jnp.arange(0, D, 2, dtype=x.dtype) / D)
    angle = positions.astype(x.dtype)[:, None] * rates[None]
    real, imaginary = jnp.split(x, 2, axis=1)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    turned = [real * cos - imaginary * sin, real * sin + imaginary * cos]
    return jnp.concatenate(turned, axis=1)


def alibi(
    q: Float[Array, "T D"],
    k: Float[Array, "T D"],
    positions: Int[Array, "T"],
    slope: Float[Array, ""],
) -> tuple[Float[Array, "T E"], Float[Array, "T E"]]:
    """q and k with one more feature (E = D + 1), whose softmax attention is that of ALiBi.

    ALiBi (arXiv 2108.12409) subtracts slope * (i - j) from the score of query i and key j. What
    depends on i alone cancels in the softmax, so a key carries slope * j; queries are rescaled
    for the division by sqrt(D + 1).
    """
    D = q.shape[1]
    one = jnp.full((len(q), 1), (D + 1) ** 0.5, q.dtype)
    carried = (slope * positions.astype(k.dtype))[:, None]
    q = jnp.concatenate([q * ((D + 1) / D) ** 0.5, one], axis=1)
    return q, jnp.concatenate([k, carried], axis=1)


def alibi_slopes(heads: int, dtype) -> Float[Array, "H"]:
    """2^(-8 h / H) for h = 1..H, as published for H a power of two."""
    return 2.0 ** (-8 * jnp.arange(1, heads + 1, dtype=dtype) / heads)
