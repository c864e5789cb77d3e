"""Steady states of Kalman filters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from feedrun.maths.kalman import System


class Steady(NamedTuple):
    """The filter as t grows: covariances of z_t and of y_t given the past, predictor gain K.

    The mean moves as m_{t+1} = (A - K C) m_t + K y_t.
    """

    state_cov: Float[Array, "N N"]
    cov: Float[Array, "O O"]
    gain: Float[Array, "N O"]


def steady(system: System, *, doublings: int = 40) -> Steady:
    """Stabilising solution of P = A P A^T - A P C^T (C P C^T + R)^-1 C P A^T + Q; R invertible.

    The structure-preserving doubling algorithm (Anderson 1978, Int. J. Control 28; Chu et al.
    2004): after k doublings it has done 2^k steps of the recursion, so it converges quadratically
    where (A, C) is detectable and (A, Q) stabilisable. O(N^3) each.
    """
    A, C, Q = system.A, system.C, system.Q
    eye = jnp.eye(len(A), dtype=A.dtype)

    def body(carry, _):
        A, G, H = carry
        half = jnp.linalg.solve(eye + G @ H, jnp.concatenate([A, G], axis=1))
        WA, WG = half[:, : len(A)], half[:, len(A) :]
        return (A @ WA, G + A @ WG @ A.T, H + A.T @ H @ WA), None

    start = (A.T, C.T @ jnp.linalg.solve(system.R, C), Q)
    (_, _, P), _ = jax.lax.scan(body, start, length=doublings)
    P = (P + P.T) / 2
    S = C @ P @ C.T + system.R
    return Steady(P, S, jnp.linalg.solve(S, C @ P @ A.T).T)


def steady_number(
    a: Float[Array, "*B"], q: Float[Array, "*B"], r: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    """P of a state that is a number, seen with noise: P = (b + sqrt(b^2 + 4 q r)) / 2.

    b = q - r (1 - a^2); C = 1. The variance of y given the past is P + r, the gain a P / (P + r).
    """
    b = q - r * (1 - a**2)
    return (b + jnp.sqrt(b**2 + 4 * q * r)) / 2
