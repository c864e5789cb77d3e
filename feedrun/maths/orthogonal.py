"""Random orthogonal matrices."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def shapes(count: int, dimension: int) -> list[tuple[int, int]]:
    """Of the standard normal arrays that `haar` needs: (B, 1), (B, 2), ..., (B, N)."""
    return [(count, k) for k in range(1, dimension + 1)]


def haar(parts: Sequence[Float[Array, "B _"]]) -> Float[Array, "B N N"]:
    """Matrices uniform (Haar) on O(N), a batch, from standard normal arrays of `shapes`.

    Built up from 1 x 1 on: if Q is Haar on O(k), so is H(v) diag(1, Q) on O(k+1), where H(v) is
    orthogonal with first column v, uniform on the sphere (Stewart 1980; Mezzadri 2007). H(v) is
    minus or plus a Householder reflection, so orthogonality holds to rounding. O(B N^3), no LAPACK.
    """
    Q = jnp.sign(parts[0])[..., None]
    for g in parts[1:]:
        Q = jax.vmap(_bordered)(g, Q)
    return Q


def _bordered(g: Float[Array, "K"], Q: Float[Array, "J J"]) -> Float[Array, "K K"]:
    """H(v) diag(1, Q) for v = g / |g|."""
    v = g / jnp.linalg.norm(g)
    sign = jnp.where(v[0] >= 0, 1, -1).astype(v.dtype)
    u = v.at[0].add(sign)
    u = u / jnp.linalg.norm(u)
    block = jnp.pad(Q, ((1, 0), (1, 0))).at[0, 0].set(1)
    return -sign * (block - 2 * u[:, None] * (u[:, None] * block).sum(axis=0, keepdims=True))
