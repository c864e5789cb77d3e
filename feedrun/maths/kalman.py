"""Kalman filters of linear-Gaussian state-space models, for one model and for many at once.

    z_1 ~ N(mean, cov),   y_t = C z_t + N(0, R),   z_{t+1} = A z_t + N(0, Q)

Textbook: Anderson and Moore, Optimal Filtering (1979), chapter 3. All forms here are predictors:
row t holds what y_1 .. y_{t-1} say of y_t.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class System(NamedTuple):
    """A linear-Gaussian state-space model; C may differ from step to step, (T, O, N)."""

    A: Float[Array, "N N"]
    C: Float[Array, "O N"] | Float[Array, "T O N"]
    Q: Float[Array, "N N"]
    R: Float[Array, "O O"]
    mean: Float[Array, "N"]
    cov: Float[Array, "N N"]


class Predicted(NamedTuple):
    """Mean and covariance of y_t given the past, and of the state z_t given the same."""

    mean: Float[Array, "T O"]
    cov: Float[Array, "T O O"]
    state: Float[Array, "T N"]
    state_cov: Float[Array, "T N N"]


def predict(system: System, y: Float[Array, "T O"]) -> Predicted:
    """The filter as the textbook writes it, one model, O(T N^3); batch with vmap."""
    C = jnp.broadcast_to(system.C, (len(y), *system.C.shape[-2:]))

    def body(carry, seen):
        mean, P = carry
        C, y = seen
        S = C @ P @ C.T + system.R
        G = _solve(S, C @ P).T
        updated = mean + G @ (y - C @ mean)
        after = system.A @ (P - G @ C @ P) @ system.A.T + system.Q
        row = Predicted(C @ mean, S, mean, P)
        return (system.A @ updated, (after + after.T) / 2), row

    return jax.lax.scan(body, (system.mean, system.cov), (C, y))[1]


def _solve(S: Float[Array, "O O"], b: Float[Array, "O N"]) -> Float[Array, "O N"]:
    """S^-1 b for positive definite S."""
    return jax.scipy.linalg.solve(S, b, assume_a="pos")


def predict_associative(system: System, y: Float[Array, "T O"]) -> Predicted:
    """The same by an associative scan: depth O(log T) at some ten times the work; C constant.

    Sarkka and Garcia-Fernandez (2021, IEEE TAC 66), equations 10-15 for the elements and Lemma 8
    for their combination; their prefixes are filtered moments, moved on by one step here.
    """
    A, C, Q, R = system.A, system.C, system.Q, system.R
    if C.ndim != 2:
        raise ValueError(f"C must be constant, (O, N); got shape {C.shape}")
    first, others = _first_element(system, y[0]), jax.vmap(lambda y: _element(system, y))(y[1:])
    elements = jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), first, others)
    _, b, cov, _, _ = jax.lax.associative_scan(jax.vmap(_combine), elements)
    state = jnp.concatenate([system.mean[None], b[:-1] @ A.T])
    state_cov = jnp.concatenate([system.cov[None], A @ cov[:-1] @ A.T + Q[None]])
    return Predicted(state @ C.T, C @ state_cov @ C.T + R[None], state, state_cov)


def _first_element(system: System, y: Float[Array, "O"]):
    """The posterior of z_1; it forgets what came before."""
    C, P = system.C, system.cov
    G = _solve(C @ P @ C.T + system.R, C @ P).T
    nothing = jnp.zeros_like(P)
    return (
        nothing,
        system.mean + G @ (y - C @ system.mean),
        P - G @ C @ P,
        nothing,
        jnp.zeros_like(system.mean),
    )


def _element(system: System, y: Float[Array, "O"]):
    """(A, b, C, J, eta) of one step: p(z_t | z_{t-1}, y_t) and the likelihood of z_{t-1}."""
    A, C, Q = system.A, system.C, system.Q
    S = C @ Q @ C.T + system.R
    G = _solve(S, C @ Q).T
    left = jnp.eye(len(A), dtype=A.dtype) - G @ C
    whitened = _solve(S, C @ A)
    return left @ A, G @ y, left @ Q, A.T @ C.T @ whitened, whitened.T @ y


def _combine(earlier, later):
    """Two stretches of steps, one after the other, as one."""
    A1, b1, C1, J1, eta1 = earlier
    A2, b2, C2, J2, eta2 = later
    eye = jnp.eye(len(A1), dtype=A1.dtype)
    inverse = jnp.linalg.inv(eye + C1 @ J2)
    forward, backward = A2 @ inverse, (inverse @ A1).T
    return (
        forward @ A1,
        forward @ (b1 + C1 @ eta2) + b2,
        forward @ C1 @ A2.T + C2,
        backward @ J2 @ A1 + J1,
        backward @ (eta2 - J2 @ b1) + eta1,
    )
