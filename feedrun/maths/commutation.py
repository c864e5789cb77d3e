"""How nearly two symmetric matrices commute, and what a random pair would show.

All take K = V^T A V, the first matrix in the eigenbasis V of the second, whose eigenvalues are lam.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Scalar = Float[Array, ""]


def relative_commutator(K: Float[Array, "P P"], lam: Float[Array, "P"]) -> Scalar:
    """||A B - B A|| / ||A B|| in Frobenius norm: 0 if they commute, about sqrt(2) at random."""
    commutator = (K**2 * (lam[:, None] - lam[None]) ** 2).sum()
    return jnp.sqrt(commutator / (K**2 * lam[None] ** 2).sum())


def diagonal_energy(K: Float[Array, "P P"]) -> Scalar:
    """The share of ||A||^2 on the diagonal of K: 1 if the matrices commute."""
    return (jnp.diagonal(K) ** 2).sum() / (K**2).sum()


def coherence(K: Float[Array, "P P"]) -> Float[Array, "P P"]:
    """R_ij = K_ij / sqrt|K_ii K_jj|; 0 in rows whose diagonal entry is 0."""
    scale = jnp.sqrt(jnp.abs(jnp.diagonal(K)))
    inverse = jnp.where(scale > 0, 1 / jnp.where(scale > 0, scale, 1), 0)
    return K * inverse[:, None] * inverse[None]


def mean_coherence(K: Float[Array, "P P"]) -> Scalar:
    """The mean of |R_ij| over the pairs i != j whose diagonal entries are not 0."""
    R = jnp.abs(coherence(K))
    alive = (jnp.diagonal(K) != 0).sum(dtype=K.dtype)
    return (R.sum() - jnp.trace(R)) / (alive * (alive - 1))


def random_coherence(participation: Scalar) -> Scalar:
    """The mean |R_ij| of a random basis, sqrt(2 / (pi PR)), for 1 << PR << P."""
    return jnp.sqrt(2 / (np.pi * participation))
