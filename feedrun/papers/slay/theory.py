"""The Yat kernel: on the sphere, as an integral, as a quadrature, and what SLAY's maps estimate.

On unit vectors with x = <q, k> and C = 2 + eps the kernel is K(x) = x^2 / (C - 2x), a mixture
int_0^inf e^{-C s} x^2 e^{2 s x} ds; SLAY replaces the integral by a few nodes and both factors
by features. Paper: arXiv 2602.04915, sections 3 and 4.
"""

from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.integrate import quad
from scipy.special import roots_gegenbauer

from feedrun.maths.quadrature import Rule, gauss_laguerre

Scalar = float | Float[Array, ""]
Real = Any
"""A number or an array of numbers, elementwise; most of these formulas are taken on the host."""


NODES = 400
"""Of the quadrature over cosines of independent directions."""


def yat(q: Float[Array, "T D"], k: Float[Array, "S D"], eps: Scalar) -> Float[Array, "T S"]:
    """(q . k)^2 / (|q - k|^2 + eps), for vectors of any length."""
    dots = q @ k.T
    lengths = jnp.sum(q**2, axis=1)[:, None] + jnp.sum(k**2, axis=1)[None]
    return dots**2 / (jnp.maximum(lengths - 2 * dots, 0) + eps)


def spherical_yat(x: Float[Array, "*X"], eps: Scalar) -> Float[Array, "*X"]:
    """K(x) = x^2 / (2 + eps - 2x) of the cosine x."""
    return x**2 / (2 + eps - 2 * jnp.minimum(x, 1))  # rounding may leave x above 1


def slope(x: Real, eps: Scalar) -> Real:
    """K'(x) = 2x (C - x) / (C - 2x)^2; largest at x = 1, where it is 2 (1 + eps) / eps^2."""
    C = 2 + eps
    return 2 * x * (C - x) / (C - 2 * x) ** 2


def tangential_slope(x: Real, eps: Scalar) -> Real:
    """Length of the gradient along the sphere; at most about 9 / (8 sqrt 3) eps^{-3/2}."""
    return (1 - x**2) ** 0.5 * slope(x, eps)


def laplace_integral(x: float, eps: float) -> float:
    """int_0^inf e^{-C s} x^2 e^{2 s x} ds by adaptive quadrature, in units of its decay time."""
    decay = 2 + eps - 2 * x

    def integrand(t: float) -> float:
        s = t / decay
        return float(np.exp(-(2 + eps) * s + 2 * s * x)) * x**2 / decay

    return quad(integrand, 0, np.inf, epsabs=0, epsrel=1e-12)[0]


def signed_laplace(x: float, eps: float) -> float:
    """(C^2 / 4) int e^{-C s} e^{2 s x} ds - C / 4 - x / 2: the same without the factor x^2."""
    C = 2 + eps
    decay = C - 2 * x
    integral = quad(lambda t: np.exp(-t) / decay, 0, np.inf, epsabs=0, epsrel=1e-13)[0]
    return C**2 / 4 * integral - C / 4 - x / 2


def laguerre_nodes(count: int, eps: float) -> Rule:
    """The paper's nodes s_r = t_r / C and weights w_r = alpha_r / C (1 / C is in the weights)."""
    rule = gauss_laguerre(count)
    return Rule(rule.nodes / (2 + eps), rule.weights / (2 + eps))


def mixture(rule: Rule, x: Real) -> Real:
    """sum_r w_r e^{2 s_r x}: the exponential factor of K_R, for weights that hold e^{-C s}."""
    return np.exp(2 * np.multiply.outer(np.asarray(x), rule.nodes)) @ rule.weights


def quadrature_kernel(rule: Rule, x: Real) -> Real:
    """K_R(x) = sum_r w_r x^2 e^{2 s_r x}, what SLAY with an exact square estimates."""
    return np.asarray(x) ** 2 * mixture(rule, x)


def quadrature_rate(x: Real, eps: float) -> Real:
    """Factor by which one more node shrinks the error of K_R, in the limit: (x / (C - x))^2."""
    return (np.abs(x) / (2 + eps - np.asarray(x))) ** 2


def anchor_mean(x: Real, dimension: int) -> Real:
    """E (a.u)^2 (a.v)^2 = (1 + 2x^2) / (d (d + 2)), a uniform: the limit of the anchor features.

    The paper takes it for an estimate of x^2 = 1/d in the mean, which is d times smaller.
    """
    return (1 + 2 * x**2) / (dimension * (dimension + 2))


def anchor_limit(x: Float[Array, "*X"], eps: Scalar) -> Float[Array, "*X"]:
    """(1 + 2x^2) / (C - 2x): d (d + 2) times the limit of the published default, all budgets up."""
    return (1 + 2 * x**2) / (2 + eps - 2 * jnp.minimum(x, 1))


def laplace_limit(x: Float[Array, "*X"], eps: Scalar) -> Float[Array, "*X"]:
    """(C^2 / 4) / (C - 2x) = K + C / 4 + x / 2: the limit of the Laplace-only variant."""
    return (2 + eps) ** 2 / 4 / (2 + eps - 2 * jnp.minimum(x, 1))


@lru_cache
def far_square(dimension: int, eps: float) -> tuple[float, float]:
    """(w, shift) such that w (x + shift)^2 stands for K between directions that are independent.

    The odd terms of K, x^3 first, are mostly linear: of x^3 the part 3x / (d + 2), 3/5 of its
    square. From the best a x^2 + b x + c in the mean square, x that of uniform directions:
    shift = b / 2a, and w keeps the mean of K. Never negative; w C and shift tend to 1 and 0.
    """
    x, p = roots_gegenbauer(NODES, (dimension - 2) / 2)
    K, p = x**2 / (2 + eps - 2 * x), p / p.sum()
    A = np.stack([x**2, x, np.ones_like(x)], axis=1)
    a, b, _ = np.linalg.solve((A.T * p) @ A, (A.T * p) @ K)
    shift = b / (2 * a)
    return float(p @ K / (p @ (x + shift) ** 2)), float(shift)


def exponential_variance(x: Real, s: Real) -> Real:
    """Variance of one positive feature over its squared mean, e^{4s (1 + x)} - 1, in any d."""
    return np.expm1(4 * s * (1 + np.asarray(x)))


def mixture_variance(rule: Rule, x: Real) -> Real:
    """Variance over squared mean of sum_r with an exact square and one feature a node."""
    x = np.asarray(x)
    powers = rule.weights**2 * np.exp(4 * np.multiply.outer(x, rule.nodes))
    spread = np.expm1(4 * np.multiply.outer(1 + x, rule.nodes))
    return np.sum(powers * spread, axis=-1) / mixture(rule, x) ** 2


def kernel_attention(
    scores: Float[Array, "T S"],
    v: Float[Array, "S E"],
    *,
    causal: bool,
    delta: float,
    clamp: bool = False,
) -> Float[Array, "T E"]:
    """sum_j S_ij v_j / (sum_j S_ij + delta), or over max(sum, delta) if `clamp`: the slow form."""
    if causal:
        scores = jnp.tril(scores)
    total = jnp.sum(scores, axis=1, keepdims=True)
    return scores @ v / (jnp.maximum(total, delta) if clamp else total + delta)
