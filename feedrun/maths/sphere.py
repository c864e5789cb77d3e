"""The unit sphere S^{D-1} in R^D: points, tangent vectors, distances."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def normalise(x: Float[Array, "*T D"]) -> Float[Array, "*T D"]:
    """Nearest point of the sphere, x / |x|."""
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def tangent(x: Float[Array, "*T D"], v: Float[Array, "*T D"]) -> Float[Array, "*T D"]:
    """Projection P_x v = v - <x,v> x of v on the tangent space at x."""
    return v - jnp.sum(x * v, axis=-1, keepdims=True) * x


def uniform(
    key: Key[Array, ""], shape: tuple[int, ...], *, dtype: Any = float
) -> Float[Array, "*T D"]:
    """Points of shape (..., D), uniform on the sphere: normalised Gaussians."""
    return normalise(jax.random.normal(key, shape, dtype))


def rotation(key: Key[Array, ""], dimension: int) -> Float[Array, "D D"]:
    """A random rotation of R^D in a random plane: the product of two reflections."""
    first, second = uniform(key, (2, dimension))
    eye = jnp.eye(dimension)
    return (eye - 2 * jnp.outer(first, first)) @ (eye - 2 * jnp.outer(second, second))


def exponential(x: Float[Array, "*T D"], v: Float[Array, "*T D"]) -> Float[Array, "*T D"]:
    """End of the geodesic from x with tangent velocity v: cos|v| x + sin|v| v/|v|."""
    speed = jnp.linalg.norm(v, axis=-1, keepdims=True)
    return jnp.cos(speed) * x + jnp.sinc(speed / jnp.pi) * v


def squared_distances(x: Float[Array, "T D"], y: Float[Array, "S D"]) -> Float[Array, "T S"]:
    """All |x_i - y_j|^2, from differences: 1 - <x,y> has no digits left below 1e-16."""
    return jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)


def angles(x: Float[Array, "T D"], y: Float[Array, "S D"]) -> Float[Array, "T S"]:
    """All geodesic distances, 2 arcsin(|x_i - y_j| / 2), in radians."""
    half = jnp.sqrt(squared_distances(x, y)) / 2
    return 2 * jnp.arcsin(jnp.minimum(half, 1.0))


def from_angle(theta: Float[Array, "*T"]) -> Float[Array, "*T 2"]:
    """Points (cos theta, sin theta) of the circle."""
    return jnp.stack([jnp.cos(theta), jnp.sin(theta)], axis=-1)
