"""Random orthogonal matrices."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def haar(key: Key[Array, ""], count: int, dimension: int) -> Float[Array, "B N N"]:
    """Matrices uniform (Haar) on O(N), a batch of them.

    Built up from 1 x 1 on: if Q is Haar on O(k), so is H(v) diag(1, Q) on O(k+1), where H(v) is
    orthogonal with first column v, uniform on the sphere (Stewart 1980; Mezzadri 2007). H(v) is
    minus or plus a Householder reflection, so orthogonality holds to rounding. O(B N^3), no LAPACK.
    """
    keys = jax.random.split(key, dimension)
    Q = jnp.sign(jax.random.normal(keys[0], (count, 1, 1)))
    for k, own in enumerate(keys[1:], start=2):
        Q = jax.vmap(_bordered)(jax.random.normal(own, (count, k)), Q)
    return Q


def _bordered(g: Float[Array, "K"], Q: Float[Array, "J J"]) -> Float[Array, "K K"]:
    """H(v) diag(1, Q) for v = g / |g|."""
    v = g / jnp.linalg.norm(g)
    sign = jnp.where(v[0] >= 0, 1, -1).astype(v.dtype)
    u = v.at[0].add(sign)
    u = u / jnp.linalg.norm(u)
    block = jnp.pad(Q, ((1, 0), (1, 0))).at[0, 0].set(1)
    return -sign * (block - 2 * u[:, None] * (u[:, None] * block).sum(axis=0, keepdims=True))
