"""Positive random features of the exponential kernel e^{u . v} (Choromanski et al., 2009.14794).

f(u) = exp(w . u - |u|^2 / 2) with w ~ N(0, I) has E f(u) f(v) = e^{u . v}. Optimal positive
features (Likhosherstov et al., 2205.15317) bend the law of w for a smaller variance.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths import spectra

Scalar = float | Float[Array, ""]


class Exponentials(NamedTuple):
    """M features exp(w_i . u + c_i) of (T, D) vectors: rows w_i of `omega`, c_i of `offset`."""

    omega: Float[Array, "M D"]
    offset: Float[Array, "M"]

    def __call__(self, u: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T M D)."""
        return jnp.exp(u @ self.omega.T + self.offset[None])


def gaussian_rows(
    key: Key[Array, ""], count: int, dimension: int, *, dtype=float
) -> Float[Array, "M D"]:
    """Independent rows from N(0, I)."""
    return jax.random.normal(key, (count, dimension), dtype)


def orthogonal_rows(
    key: Key[Array, ""], count: int, dimension: int, *, dtype=float
) -> Float[Array, "M D"]:
    """Rows from N(0, I) each, orthogonal within blocks of D: Haar directions, independent norms."""
    rotation_key, norm_key = jax.random.split(key)
    keys = jax.random.split(rotation_key, -(-count // dimension))
    Q = jax.vmap(lambda k: spectra.haar_rotation(k, dimension, dtype=dtype))(keys)
    norms = jnp.linalg.norm(gaussian_rows(norm_key, count, dimension, dtype=dtype), axis=1)
    return norms[:, None] * Q.reshape(-1, dimension)[:count]


def positive(omega: Float[Array, "M D"], A: Scalar = 0.0) -> Exponentials:
    """M features (1 - 4A)^{D/4} exp(A |w|^2 + sqrt(1 - 4A) w . u), times M^{-1/2}, from N(0, I).

    The factor e^{-|u|^2 / 2} is the caller's (a constant on a sphere). A = 0: the plain ones.
    """
    count, d = omega.shape
    bend = jnp.asarray(1 - 4 * A, omega.dtype)
    level = d / 4 * jnp.log(bend) - jnp.log(jnp.asarray(count, omega.dtype)) / 2
    return Exponentials(jnp.sqrt(bend) * omega, A * jnp.sum(omega**2, axis=1) + level)


def optimal_bend(square: Scalar, dimension: int) -> Float[Array, ""]:
    """The A < 1/8 of least variance at pairs with |u + v|^2 = square > 0."""
    v, d = jnp.asarray(square), dimension
    rho = (jnp.sqrt((2 * v + d) ** 2 + 8 * d * v) - 2 * v - d) / (4 * v)
    return (1 - 1 / rho) / 8
