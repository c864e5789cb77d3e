"""The identities of the token flows over many random starts, as one compiled program."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths import ode, sphere
from feedrun.papers.mean_field import theory
from feedrun.papers.mean_field.clustering import identities
from feedrun.papers.mean_field.clustering.identities import FLOWS

PAIRED_STEPS = 50
"""Steps of the runs that compare two ways to compute one flow."""

ORDER_TOKENS = 8
"""Tokens of the runs to which an integrator's order is fitted."""


@partial(jax.jit, static_argnames=("tokens", "dimension", "starts", "steps", "block", "modes"))
def measure(
    key: Key[Array, ""],
    beta,
    dt,
    *,
    tokens: int,
    dimension: int,
    starts: int,
    steps: int,
    block: int,
    modes: int,
) -> dict[str, Float[Array, ""] | Float[Array, "R"]]:
    """The identities of the flow: the worst start for an identity, all starts for a control.

    Every second start has unequal masses, uniform on the simplex.
    """
    x_key, mass_key, turn_key, order_key, theta_key, B_key = jax.random.split(key, 6)
    x = sphere.uniform(x_key, (starts, tokens, dimension))
    alpha = _masses(mass_key, starts, tokens)
    theta = jax.random.uniform(theta_key, (starts, tokens), maxval=2 * jnp.pi)
    B = jax.random.normal(B_key, (starts, dimension, dimension))
    turns = jax.vmap(lambda k: sphere.rotation(k, dimension))(jax.random.split(turn_key, starts))
    order = jax.random.permutation(order_key, tokens)
    out = _conservation(x, alpha, beta, dt, steps=steps)

    def worst(error, *batched):
        runs = [jax.vmap(lambda *a, n=n: error(*a, norm=n))(*batched) for n in FLOWS]
        return jnp.max(jnp.stack(runs))

    def turned(turn, x, a, norm):
        start = turn, order, x, a
        return identities.equivariance_error(*start, beta, dt, norm=norm, steps=PAIRED_STEPS)

    def streamed(x, a, norm):
        return identities.blocked_error(x, a, beta, norm=norm, block=block)

    def summed(theta, a, norm):
        return identities.fourier_error(theta, a, beta, norm=norm, modes=modes)

    out["equivariance_error"] = worst(turned, turns, x, alpha)
    out["blocked_error"] = worst(streamed, x, alpha)
    out["fourier_error"] = worst(summed, theta, alpha)
    clocks = jax.vmap(lambda x, a: identities.time_change_error(x, a, beta, dt, steps=PAIRED_STEPS))
    out["time_change_error"] = jnp.max(clocks(x, alpha))
    out["antipodal_speed"] = jnp.max(jax.vmap(lambda x: identities.antipodal_speed(x[0], beta))(x))
    change = partial(identities.energy_change, steps=steps)
    control = jax.vmap(lambda x, a, B, V: change(x, a, beta, dt, B=B, V=V), (0, 0, 0, None))
    same, eye = jnp.broadcast_to(jnp.eye(dimension), B.shape), jnp.eye(dimension)
    out["energy_change_repulsive"] = control(x, alpha, same, -eye)[1]
    return out | {"energy_drop_asymmetric": control(x, alpha, B, eye)[0]}


def _masses(key, starts: int, tokens: int):
    """Equal masses for even starts, uniform on the simplex for odd ones."""
    raw = jax.random.exponential(key, (starts, tokens))
    unequal = raw / jnp.sum(raw, axis=1, keepdims=True)
    even = (jnp.arange(starts) % 2 == 0)[:, None]
    return jnp.where(even, jnp.full_like(unequal, 1 / tokens), unequal)


def _conservation(x, alpha, beta, dt, *, steps: int):
    """Energy falls at steps of dt, energy balances at dt / 2, norms at both."""
    out, norms = {}, []
    for norm, name in zip(FLOWS, ("sa", "usa"), strict=True):
        run = jax.vmap(partial(identities.conservation, norm=norm, steps=steps), (0, 0, None, None))
        both = jax.lax.map(lambda h: run(x, alpha, beta, h), jnp.stack([dt, dt / 2]))
        norms.append(both.norm_error)
        out[f"energy_drop_{name}"] = jnp.max(both.energy_drop[0])
        out[f"balance_error_{name}"] = jnp.max(both.balance_error[1])
    return out | {"norm_error": jnp.max(jnp.stack(norms))}


@partial(jax.jit, static_argnames=("starts", "steps"))
def orders(key: Key[Array, ""], beta, dt, *, starts: int, steps: int):
    """Fitted orders of projected Euler and RK4 under SA with T = D = 8, one a start."""
    x = sphere.uniform(key, (starts, ORDER_TOKENS, ORDER_TOKENS))
    alpha = jnp.full((ORDER_TOKENS,), 1 / ORDER_TOKENS)

    def fitted(method):
        return jax.vmap(
            lambda x: identities.order(x, alpha, beta, dt, norm="sa", method=method, steps=steps)
        )(x)

    return {"order_euler": fitted(ode.euler), "order_rk4": fitted(ode.rk4)}


@partial(jax.jit, static_argnames=("n", "steps"))
def equiangular_errors(betas: Float[Array, "B"], dt, *, n: int, steps: int):
    """Distance of n tokens from the scalar ODE, worst over temperatures, each flow."""

    def worst(norm: theory.Norm):
        one = partial(identities.equiangular_error, n=n, norm=norm, steps=steps)
        return jnp.max(jax.vmap(lambda beta: one(beta, dt))(betas))

    sa, usa = (worst(norm) for norm in FLOWS)
    return {"equiangular_error_sa": sa, "equiangular_error_usa": usa}
