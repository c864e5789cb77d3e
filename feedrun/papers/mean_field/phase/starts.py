"""Uniform random starts, and how fast they begin to close in.

Tokens never leave the span of their start, and only inner products matter: where D > T the D
coordinates are replaced by T, exactly.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths import sphere
from feedrun.papers.mean_field.phase import schemes
from feedrun.papers.mean_field.phase.schemes import Name
from feedrun.papers.mean_field.theory import Scalar


class Beginning(NamedTuple):
    """At t = 0: mean d<theta_i, theta_j>/dt over pairs, and max_j |A_j|."""

    speed: Float[Array, ""]
    pull: Float[Array, ""]


def coordinates(x: Float[Array, "T D"]) -> Float[Array, "T E"]:
    """E = min(T, D) coordinates with the same inner products, and so the same dynamics."""
    if x.shape[1] <= x.shape[0]:
        return x
    return sphere.normalise(jnp.linalg.cholesky(x @ x.T))


@partial(jax.jit, static_argnames=("tokens", "dimension", "replicas"))
def uniform_starts(keys: Key[Array, "K"], *, tokens: int, dimension: int, replicas: int):
    """Directions (K, R, T, E) of uniform tokens, as coordinates; replica r has a key of its own."""

    def one(key):
        return coordinates(sphere.uniform(key, (tokens, dimension)))

    split = jax.vmap(lambda key: jax.random.split(key, replicas))(keys)
    return jax.lax.map(jax.vmap(one), split)


@partial(jax.jit, static_argnames="scheme")
def beginnings(theta, betas: Float[Array, "K"], radius: Scalar, *, scheme: Name) -> Beginning:
    """How fast the starts theta (K, R, T, E) with tokens of radius `radius` begin to close in."""
    grows = schemes.SCHEMES[scheme].grows and scheme != "mix_ln"

    def one(theta, beta):
        q = jnp.zeros_like(theta[:, 0]) - jnp.log(radius)
        v = schemes.velocity(theta, q, beta, float(grows), scheme=scheme)[0]
        size = jnp.linalg.norm(schemes.attention(theta, beta), axis=1)
        pairs = len(theta) * (len(theta) - 1)
        # <v_i, theta_i> = 0, so this sums d<theta_i, theta_j>/dt over all i != j.
        return Beginning(2 * jnp.sum(v @ theta.T) / pairs, jnp.max(size))

    return jax.vmap(jax.vmap(one, (0, None)))(theta, betas)
