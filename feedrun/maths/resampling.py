"""Bootstrap of weighted statistics."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def poisson_weights(key, like: Float[Array, "B"], *, replicates: int) -> Float[Array, "R B"]:
    """Independent Poisson(1) counts: how often each replicate counts each sample.

    The multinomial bootstrap without the constraint that the counts add up to B.
    """
    return jax.random.poisson(key, 1.0, (replicates, len(like))).astype(like.dtype)


def percentile_interval(
    values: Float[Array, "R"], *, level: float
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The central interval that holds a share `level` of the bootstrap replicates."""
    low, high = jnp.quantile(values, jnp.array([(1 - level) / 2, (1 + level) / 2], values.dtype))
    return low, high
