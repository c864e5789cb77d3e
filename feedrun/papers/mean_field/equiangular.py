"""The tractable model: n tokens with one common inner product rho, and small exact facts.

Source: Rigollet (2512.01868), section 6 (reduction, local rates); closed forms derived from it.
"""

from math import comb

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import expi

from feedrun.papers.mean_field.theory import Norm, Scalar


def velocity(rho: Float[Array, "*B"], beta: Scalar, *, n: int, norm: Norm) -> Float[Array, "*B"]:
    """drho/dt = 2 k (1-rho)(1+(n-1)rho) / Z with k = e^{beta (rho-1)}.

    Z = 1 + (n-1) k for SA, n for USA-shifted, n e^{-beta} for USA.
    """
    k = jnp.exp(beta * (rho - 1))
    raw = 2 * k * (1 - rho) * (1 + (n - 1) * rho)
    if norm == "sa":
        return raw / (1 + (n - 1) * k)
    return raw / n * (jnp.exp(beta) if norm == "usa" else 1.0)


def time_to(rho, *, start: float, beta: float, n: int, norm: Norm):
    """Time from rho = start to rho, in closed form with exponential integrals (host, numpy)."""
    u0, u = 1 - start, 1 - np.asarray(rho, float)
    c = n / (n - 1)
    near, far = _ei_gap(u0, u, beta), np.exp(beta * c) * _ei_gap(u0 - c, u - c, beta)
    if norm == "sa":
        logit = np.log((1 + (n - 1) * (1 - u)) / u) - np.log((1 + (n - 1) * start) / u0)
        return ((n - 1) / n * logit + (near - far) / n) / 2
    return (near - far) / 2 * (np.exp(-beta) if norm == "usa" else 1.0)


def _ei_gap(a, b, beta: float):
    """Ei(beta a) - Ei(beta b), and its limit ln(a/b) at beta = 0."""
    return np.log(a / b) if beta == 0 else expi(beta * a) - expi(beta * b)


def orthonormal_tokens(n: int, dimension: int) -> np.ndarray:
    """n orthonormal tokens, rho = 0, in R^dimension >= n."""
    if dimension < n:
        raise ValueError(f"{n} orthonormal tokens need dimension >= {n}, got {dimension}")
    return np.eye(n, dimension)


def contraction_rate(beta: float, *, norm: Norm) -> float:
    """Rate of |x_i - x_j|^2 near consensus: 2 for SA and USA-shifted, 2 e^beta for USA."""
    return 2 * float(np.exp(beta)) if norm == "usa" else 2.0


def cone_rate_bound(beta: float, *, n: int) -> float:
    """Proof-level rate of 1 - min_i <x_i, x*> in a hemisphere under SA: 1 / (2 n e^{2 beta})."""
    return 1 / (2 * n * float(np.exp(2 * beta)))


def wendel_probability(n: int, dimension: int) -> float:
    """Probability that n uniform points lie in one open hemisphere of S^{D-1} (Wendel, 1962)."""
    return sum(comb(n - 1, k) for k in range(min(dimension, n))) / 2 ** (n - 1)
