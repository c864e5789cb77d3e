"""Groups of nearby points."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


def first_neighbour(near: Bool[Array, "T T"]) -> Int[Array, "T"]:
    """First index j with near[i, j]; never after i, as `near` is reflexive."""
    return jnp.argmax(near, axis=1)


def component_labels(near: Bool[Array, "T T"]) -> Int[Array, "T"]:
    """Smallest index in each point's connected component of the graph `near`.

    Labels spread to neighbours and are then followed once (pointer jumping) until none changes:
    O(T^2) a round, few rounds for compact clusters, at most T for a chain.
    """
    size = near.shape[0]
    start = jnp.arange(size)

    def spread(labels):
        lowest = jnp.min(jnp.where(near, labels[None], size), axis=1)
        return lowest[lowest]

    def body(carry):
        labels, _ = carry
        spreaded = spread(labels)
        return spreaded, jnp.any(spreaded != labels)

    return jax.lax.while_loop(lambda carry: carry[1], body, (start, jnp.array(True)))[0]


def num_components(near: Bool[Array, "T T"]) -> Int[Array, ""]:
    """How many connected components the graph `near` has."""
    return jnp.sum(component_labels(near) == jnp.arange(near.shape[0]))
