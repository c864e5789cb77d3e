"""Best linear prediction of stationary series."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def levinson_durbin(autocovariance: Float[Array, "L B"]) -> Float[Array, "L B"]:
    """Mean squared errors of the best linear predictors from the last 0, 1, .., L-1 values.

    autocovariance: gamma_0 .. gamma_{L-1} of B series (Brockwell and Davis 1991, section 5.2).
    O(L^2).
    """
    errors, phi = [autocovariance[0]], autocovariance[:0]
    for p in range(1, len(autocovariance)):
        past = autocovariance[1:p][::-1]
        last = (autocovariance[p] - jnp.sum(phi * past, axis=0)) / errors[-1]
        phi = jnp.concatenate([phi - last[None] * phi[::-1], last[None]])
        errors.append(errors[-1] * (1 - last**2))
    return jnp.stack(errors)
