"""Explicit one-step methods for autonomous equations dy/dt = field(y), y any pytree.

A `retract` puts the new point back on a manifold after every step; it keeps the order, because
the distance to the manifold is of the size of the local error.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

Field = Callable[[Any], Any]

DORMAND_PRINCE = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
"""Rows of the tableau; the last is the fifth-order step itself (Dormand and Prince, 1980)."""

FOURTH_ORDER_GAP = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
"""Fifth-order weights less those of the embedded fourth-order step."""


def euler(field: Field, y, h):
    """One step of order 1."""
    return _shift(y, h, (1.0,), [field(y)])


def rk4(field: Field, y, h):
    """One step of the classical Runge-Kutta method, order 4; real stability limit 2.78."""
    k1 = field(y)
    k2 = field(_shift(y, h, (0.5,), [k1]))
    k3 = field(_shift(y, h, (0.5,), [k2]))
    k4 = field(_shift(y, h, (1.0,), [k3]))
    return _shift(y, h, (1 / 6, 1 / 3, 1 / 3, 1 / 6), [k1, k2, k3, k4])


def dormand_prince(field: Field, y, h):
    """One step of order 5 and its difference from the embedded step of order 4."""
    slopes = [field(y)]
    for row in DORMAND_PRINCE:
        new = _shift(y, h, row, slopes)
        slopes.append(field(new))
    gap = _shift(jax.tree.map(jnp.zeros_like, y), h, FOURTH_ORDER_GAP, slopes)
    return new, gap


def _shift(y, h, weights, slopes):
    """y + h sum_k weights_k slopes_k, leaf by leaf."""
    return jax.tree.map(
        lambda leaf, *ks: leaf + h * sum(w * k for w, k in zip(weights, ks, strict=True) if w),
        y,
        *slopes,
    )


def integrate(step: Callable[[Any], Any], y0, *, steps: int, observe: Callable[[Any], Any]):
    """(last state, observations after each of `steps` steps); `step` maps state to state."""

    def body(y, _):
        new = step(y)
        return new, observe(new)

    return jax.lax.scan(body, y0, length=steps)


def end(step: Callable[[Any], Any], y0, steps):
    """State after `steps` steps, which may be traced: one program for all step sizes."""
    return jax.lax.fori_loop(0, steps, lambda _, y: step(y), y0)


class Clock(NamedTuple):
    """A solution on its way: time reached, step to try next, state."""

    t: Float[Array, ""]
    h: Float[Array, ""]
    y: Any


def adaptive_step(
    field: Field, clock: Clock, until, *, tolerance, retract: Callable[[Any], Any]
) -> Clock:
    """Try one Dormand-Prince step that does not pass `until`.

    The step counts when no component's estimated error exceeds `tolerance` (absolute); the next
    one is 0.9 (tolerance / error)^{1/5} times as long, within a factor 5 either way.
    """
    h = jnp.minimum(clock.h, until - clock.t)
    new, gap = dormand_prince(field, clock.y, h)
    error = jnp.max(jnp.abs(ravel_pytree(gap)[0])) / tolerance
    accepted = error <= 1
    factor = jnp.clip(0.9 * jnp.maximum(error, jnp.finfo(error.dtype).tiny) ** -0.2, 0.2, 5.0)
    reached = accepted & (h < clock.h)
    keep = jax.tree.map(lambda a, b: jnp.where(accepted, a, b), retract(new), clock.y)
    # The time is set to `until`, not added up to it: rounding could leave a step of 1e-16 over. And
    # a step that was cut short there says little of the next one, which starts from the longer.
    return Clock(
        t=jnp.where(accepted, jnp.where(reached, until, clock.t + h), clock.t),
        h=jnp.where(reached, jnp.maximum(clock.h, h * factor), h * factor),
        y=keep,
    )
