"""How much attention one relevant key gets among many random ones, in expected sums.

A query has one key at cosine x; all others are uniform on the sphere, and weigh what a kernel
weighs on average. Closed forms and one-dimensional integrals, float64.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from scipy.integrate import quad
from scipy.special import betaln

from feedrun.papers.slay import theory

COSINES = (0.8, 0.95, 1.0)

EXPECTED = {
    "yat": (0.160, 0.516, 0.992),
    "quadrature": (0.121, 0.220, 0.263),
    "anchor_limit": (0.0076, 0.0135, 0.0164),
    "softmax": (0.264, 0.543, 0.640),
}
"""Masses at COSINES, computed beforehand: d = 64, 1023 other keys, eps = 1e-3, two nodes."""

LENGTH = 8.0
"""|q| = |k| under softmax: what Gaussian vectors have at d = 64."""

Weigh = Callable[[theory.Real], theory.Real]


def kernels(eps: float, dimension: int) -> dict[str, Weigh]:
    """The weights of a key by its cosine, under each kind of attention."""
    rule = theory.laguerre_nodes(2, eps)
    return {
        "yat": lambda x: np.asarray(x) ** 2 / (2 + eps - 2 * np.asarray(x)),
        "quadrature": lambda x: theory.quadrature_kernel(rule, x),
        "anchor_limit": lambda x: (1 + 2 * np.asarray(x) ** 2) * theory.mixture(rule, x),
        "softmax": lambda x: np.exp(LENGTH**2 * np.asarray(x) / dimension**0.5),
        "uniform": lambda x: np.ones_like(x),
    }


def mass(
    weigh: Weigh, x: Float64[np.ndarray, "N"], *, dimension: int, others: int
) -> Float64[np.ndarray, "N"]:
    """Share of one key at cosine x among `others` random ones of average weight."""
    own = weigh(x)
    return own / (own + others * average(weigh, dimension))


def average(weigh: Weigh, dimension: int) -> float:
    """E K(X), X the cosine of two random directions: density (1 - x^2)^{(d - 3) / 2} / B."""
    power = (dimension - 3) / 2
    log_total = betaln(0.5, (dimension - 1) / 2)

    def integrand(angle: float) -> float:  # x = cos(angle): smooth at both ends
        x = np.cos(angle)
        return float(weigh(x) * np.exp((2 * power + 1) * np.log(np.sin(angle)) - log_total))

    return quad(integrand, 0, np.pi, epsabs=0, epsrel=1e-10, limit=200)[0]


def measured(eps: float, *, dimension: int, others: int) -> dict[str, float]:
    """The masses at COSINES and their largest distance from EXPECTED."""
    found: dict[str, float] = {}
    for name, weigh in kernels(eps, dimension).items():
        shares = mass(weigh, np.array(COSINES), dimension=dimension, others=others)
        found |= {f"needle_{name}_{x:g}": float(m) for x, m in zip(COSINES, shares, strict=True)}
        if name in EXPECTED:
            error = np.abs(shares - EXPECTED[name])
            found[f"needle_error_{name}"] = float(error.max())
    return found
