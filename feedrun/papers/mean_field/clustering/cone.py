"""Tokens that start in one open hemisphere: collapse at a known rate."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths import fits, ode, sphere
from feedrun.papers.mean_field import theory
from feedrun.papers.mean_field.clustering.identities import stepper

WINDOW = (1e-10, 1e-3)
"""Squared distances between which a rate is fitted: small enough to be linear, above rounding."""


class Collapse(NamedTuple):
    """What one hemisphere start shows; `log_gap` is ln max |x_i - x_j|^2 after each step.

    rate:       minus the slope of log_gap inside WINDOW
    slowest:    least decay rate of 1 - min_i <x_i,x*> over the steps once that is below 1/2
    height_drop: largest fall of min_i <x_i,w> in one step
    """

    rate: Float[Array, ""]
    slowest: Float[Array, ""]
    height_drop: Float[Array, ""]
    log_gap: Float[Array, "S"]


def hemisphere_start(key: Key[Array, ""], tokens: int, w: Float[Array, "D"]):
    """Uniform tokens of the open hemisphere around w: uniform ones, reflected into it."""
    x = sphere.uniform(key, (tokens, len(w)), dtype=w.dtype)
    height = x @ w
    return x + (jnp.abs(height) - height)[:, None] * w[None]


def collapse(
    x0: Float[Array, "T D"],
    w: Float[Array, "D"],
    beta: theory.Scalar,
    dt: theory.Scalar,
    *,
    norm: theory.Norm,
    steps: int,
) -> Collapse:
    """Run the start twice: once for its limit x*, once to watch the approach."""
    alpha = jnp.full((len(x0),), 1 / len(x0), x0.dtype)
    step = stepper(alpha, beta, dt, norm=norm)
    limit = sphere.normalise(alpha @ ode.end(step, x0, steps))

    def look(x):
        away = jnp.max(jnp.sum((x - limit[None]) ** 2, axis=1)) / 2
        return jnp.min(x @ w), away, jnp.max(sphere.squared_distances(x, x))

    height, away, gap = ode.integrate(step, x0, steps=steps, observe=look)[1]
    height = jnp.append(jnp.min(x0 @ w), height)
    t, log_gap = dt * jnp.arange(1, steps + 1), jnp.log(gap)
    decay = -jnp.diff(jnp.log(away)) / dt
    near = (away[:-1] < 0.5) & (away[1:] > WINDOW[0])
    return Collapse(
        rate=-fits.slope(t, log_gap, (gap > WINDOW[0]) & (gap < WINDOW[1])),
        slowest=jnp.min(jnp.where(near, decay, jnp.inf)),
        height_drop=jnp.max(-jnp.diff(height)),
        log_gap=log_gap,
    )


@partial(jax.jit, static_argnames=("tokens", "dimension", "starts", "steps"))
def measure(key: Key[Array, ""], beta, dt, *, tokens: int, dimension: int, starts: int, steps: int):
    """(collapses under SA, collapses under USA) from the same hemisphere starts around e_1.

    USA runs in its own, unslowed time with steps e^{-beta} dt.
    """
    w = jnp.eye(dimension)[0]
    keys = jax.random.split(key, starts)
    x0 = jax.vmap(lambda k: hemisphere_start(k, tokens, w))(keys)
    sa = jax.vmap(lambda x: collapse(x, w, beta, dt, norm="sa", steps=steps))(x0)
    fast = dt * jnp.exp(-beta)
    return sa, jax.vmap(lambda x: collapse(x, w, beta, fast, norm="usa", steps=steps))(x0)
