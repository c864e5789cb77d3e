"""What must hold exactly along the token flows, measured on random starts.

Every function takes one start; the experiment vmaps it over starts.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from feedrun.maths import fits, ode, sphere
from feedrun.papers.mean_field import equiangular, theory

FLOWS: tuple[theory.Norm, theory.Norm] = ("sa", "usa_shifted")
"""Both flows in units of time in which the tokens of one cluster contract at rate 1."""

REFINEMENTS = (1, 2, 4)
"""The time steps dt / r at which an integrator's order is fitted."""

TRUTH = 32
"""RK4 at dt / 32 stands for the truth in these fits."""


def stepper(alpha, beta, dt, *, norm: theory.Norm, method=ode.rk4, B=None, V=None):
    """The map from x to x one projected step of length dt later."""

    def field(x):
        return theory.velocity(x, alpha, beta, norm=norm, B=B, V=V)

    return lambda x: sphere.normalise(method(field, x, dt))


class Conserved(NamedTuple):
    """Largest norm error; largest relative fall of Ehat in a step; error of the energy balance."""

    norm_error: Float[Array, ""]
    energy_drop: Float[Array, ""]
    balance_error: Float[Array, ""]


def conservation(
    x: Float[Array, "T D"],
    alpha: Float[Array, "T"],
    beta: theory.Scalar,
    dt: theory.Scalar,
    *,
    norm: theory.Norm,
    steps: int,
) -> Conserved:
    """Norms, energy and its balance along one RK4 run, dissipation integrated beside the tokens."""

    def field(state):
        return (
            theory.velocity(state[0], alpha, beta, norm=norm),
            theory.dissipation(state[0], alpha, beta, norm=norm),
        )

    def step(state):
        x, spent = ode.rk4(field, state, dt)
        return sphere.normalise(x), spent

    def look(state):
        error = jnp.max(jnp.abs(jnp.linalg.norm(state[0], axis=1) - 1))
        return error, theory.normalised_energy(state[0], alpha, beta)

    (last, spent), (errors, Ehat) = ode.integrate(
        step, (x, jnp.zeros((), x.dtype)), steps=steps, observe=look
    )
    Ehat = jnp.append(theory.normalised_energy(x, alpha, beta), Ehat)
    gained = theory.energy(last, alpha, beta) - theory.energy(x, alpha, beta)
    return Conserved(jnp.max(errors), jnp.max(-jnp.diff(Ehat) / Ehat[:-1]), jnp.abs(gained - spent))


def equivariance_error(
    rotation: Float[Array, "D D"],
    order: Int[Array, "T"],
    x: Float[Array, "T D"],
    alpha: Float[Array, "T"],
    beta: theory.Scalar,
    dt: theory.Scalar,
    *,
    norm: theory.Norm,
    steps: int,
) -> Float[Array, ""]:
    """Flowing a rotated and relabelled start against rotating and relabelling the result."""

    def flow(x, alpha):
        step = stepper(alpha, beta, dt, norm=norm)
        return ode.end(step, x, steps)

    moved = flow((x @ rotation)[order], alpha[order])
    return jnp.max(jnp.abs(moved - (flow(x, alpha) @ rotation)[order]))


def blocked_error(x, alpha, beta, *, norm: theory.Norm, block: int) -> Float[Array, ""]:
    """The streamed field against the dense one."""
    dense = theory.velocity(x, alpha, beta, norm=norm)
    blocked = theory.blocked_velocity(x, alpha, beta, norm=norm, block=block)
    return jnp.max(jnp.abs(dense - blocked))


def fourier_error(theta, alpha, beta, *, norm: theory.Norm, modes: int) -> Float[Array, ""]:
    """The Fourier field on the circle against the pair sum."""
    x = sphere.from_angle(theta)
    pair = theory.velocity(x, alpha, beta, norm=norm)
    turning = x[:, 0] * pair[:, 1] - x[:, 1] * pair[:, 0]
    return jnp.max(
        jnp.abs(turning - theory.fourier_velocity(theta, alpha, beta, norm=norm, modes=modes))
    )


def time_change_error(x, alpha, beta, dt, *, steps: int) -> Float[Array, ""]:
    """|x_shifted(t) - x_usa(e^{-beta} t)| after `steps` steps of length dt."""
    slow = stepper(alpha, beta, dt, norm="usa_shifted")
    fast = stepper(alpha, beta, jnp.exp(-beta) * dt, norm="usa")
    return jnp.max(jnp.abs(ode.end(slow, x, steps) - ode.end(fast, x, steps)))


def order(x, alpha, beta, dt, *, norm: theory.Norm, method, steps: int) -> Float[Array, ""]:
    """Slope of log error against log dt at the end time, truth by RK4 at dt / 32."""

    def end(refinement, method):
        step = stepper(alpha, beta, dt / refinement, norm=norm, method=method)
        return ode.end(step, x, steps * refinement)

    refinements = jnp.array(REFINEMENTS)
    truth = end(jnp.array(TRUTH), ode.rk4)
    ends = jax.lax.map(lambda r: end(r, method), refinements)
    errors = jnp.max(jnp.abs(ends - truth[None]), axis=(1, 2))
    return fits.slope(-jnp.log(refinements.astype(x.dtype)), jnp.log(errors))


def energy_change(x, alpha, beta, dt, *, steps: int, B=None, V=None):
    """(largest fall of Ehat in one step, its change over the run) under SA with B and V."""
    step = stepper(alpha, beta, dt, norm="sa", B=B, V=V)
    Ehat = ode.integrate(
        step, x, steps=steps, observe=lambda x: theory.normalised_energy(x, alpha, beta)
    )[1]
    Ehat = jnp.append(theory.normalised_energy(x, alpha, beta), Ehat)
    return jnp.max(-jnp.diff(Ehat)), Ehat[-1] - Ehat[0]


def antipodal_speed(e: Float[Array, "D"], beta: theory.Scalar) -> Float[Array, ""]:
    """Speed of the exceptional start (2/3) delta_e + (1/3) delta_{-e}, largest over the flows."""
    x, alpha = jnp.stack([e, -e]), jnp.array([2 / 3, 1 / 3], e.dtype)
    return jnp.max(
        jnp.stack([jnp.max(jnp.abs(theory.velocity(x, alpha, beta, norm=n))) for n in FLOWS])
    )


def equiangular_error(beta, dt, *, n: int, norm: theory.Norm, steps: int) -> Float[Array, ""]:
    """Largest |<x_0,x_1>(t) - rho(t)| from n orthonormal tokens; rho at a tenth of the step."""
    x, alpha = jnp.asarray(equiangular.orthonormal_tokens(n, n)), jnp.full((n,), 1 / n)
    many = stepper(alpha, beta, dt, norm=norm)

    def scalar(rho):
        return ode.rk4(lambda r: equiangular.velocity(r, beta, n=n, norm=norm), rho, dt / 10)

    def step(state):
        return many(state[0]), ode.end(scalar, state[1], 10)

    gaps = ode.integrate(
        step, (x, jnp.zeros(())), steps=steps, observe=lambda s: s[0][0] @ s[0][1] - s[1]
    )[1]
    return jnp.max(jnp.abs(gaps))
