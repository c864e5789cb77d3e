"""Spectra of symmetric matrices: ordered eigenpairs, participation ratio, random bases."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Shaped

Scalar = Float[Array, ""]


def eigh_descending(
    A: Shaped[Array, "P P"] | Shaped[np.ndarray, "P P"],
) -> tuple[Float64[np.ndarray, "P"], Float64[np.ndarray, "P P"]]:
    """Eigenvalues, largest first, and the eigenvectors in the columns, on the host.

    Always in float64: in float32 the small eigenvalues of a power-law spectrum are wrong by 1e-3.
    """
    values, vectors = np.linalg.eigh(np.asarray(A, np.float64))
    return values[::-1], np.ascontiguousarray(vectors[:, ::-1])


def participation_ratio(weights: Float[Array, "K"]) -> Scalar:
    """(sum w)^2 / sum w^2: how many of the weights matter (K if all are equal, 1 if one is)."""
    return weights.sum() ** 2 / (weights**2).sum()


def matrix_participation_ratio(A: Float[Array, "P P"]) -> Scalar:
    """The participation ratio (tr A)^2 / tr A^2 of a symmetric matrix's eigenvalues."""
    return jnp.trace(A) ** 2 / (A**2).sum()


def haar_rotation(key, size: int, *, dtype) -> Float[Array, "P P"]:
    """A uniformly random orthogonal matrix."""
    return jax.random.orthogonal(key, size, dtype=dtype)
