"""What is exact about the Yat kernel, its quadrature and its anchors.

Float64 on the host, closed forms only: nothing here is sampled but the vectors of Gram matrices.
"""

import itertools

import numpy as np
from jaxtyping import Float64

from feedrun.papers.slay import theory

INTEGRAL_COSINES = (-1.0, -0.3, 0.0, 0.5, 0.9, 1.0)
INTEGRAL_EPS = (1e-3, 0.1)

PUBLISHED_QUADRATURE = {
    1: 0.153644562,
    2: 0.046513061,
    3: 0.020749879,
    5: 0.006000972,
    8: 0.001244441,
    10: 0.000473010,
    15: 0.0000481209,
}
"""R -> mean of |K - K_R| / K over 100 cosines in [-0.9, 0.9] at eps = 0.01: the paper's figure."""

RATE_POINTS = (
    (0.5, 1e-3, 8, 12),
    (0.9, 1e-3, 20, 30),
    (1.0, 1e-2, 60, 90),
    (-1.0, 1e-3, 8, 12),
)
"""(x, eps, nodes, more nodes) between which the error per node is compared with its limit."""


def kernel(x: theory.Real, eps: float) -> theory.Real:
    """K(x) = x^2 / (C - 2x)."""
    x = np.asarray(x, float)
    return x**2 / (2 + eps - 2 * x)


def quadrature(nodes: int, x: theory.Real, eps: float) -> theory.Real:
    """K_R(x) with `nodes` Gauss-Laguerre nodes."""
    return theory.quadrature_kernel(theory.laguerre_nodes(nodes, eps), x)


def shortfall(nodes: int, x: theory.Real, eps: float) -> theory.Real:
    """1 - K_R / K, and 0 at x = 0, where both vanish."""
    exact = kernel(x, eps)
    safe = np.where(exact > 0, exact, 1)
    return np.where(exact > 0, (exact - quadrature(nodes, x, eps)) / safe, 0)


def integral_errors() -> dict[str, float]:
    """Errors of the integral form (relative) and of its signed form (absolute)."""
    points = list(itertools.product(INTEGRAL_COSINES, INTEGRAL_EPS))
    plain = [
        abs(theory.laplace_integral(x, e) - kernel(x, e)) / max(kernel(x, e), np.finfo(float).tiny)
        for x, e in points
    ]
    signed = [abs(theory.signed_laplace(x, e) - kernel(x, e)) for x, e in points]
    return {"integral_error": float(max(plain)), "signed_integral_error": float(max(signed))}


def bounds(points: int) -> dict[str, float]:
    """Bounds of K and its slope on `points` cosines, -1, 0 and 1 among them, dense at peaks."""
    lowest, peak, slope, tangential = [], [], [], []
    for eps in (1e-3, 1e-2):
        x = np.concatenate(
            [np.linspace(-1, 1, points | 1), 1 - eps * np.geomspace(1e-3, 1, points)]
        )
        K = kernel(x, eps)
        lowest.append(K.min())
        peak.append(abs(K.max() * eps - 1))
        slope.append(abs(theory.slope(x, eps).max() / (2 * (1 + eps) / eps**2) - 1))
        steepest = float(np.max(theory.tangential_slope(x, eps)))
        tangential.append(abs(steepest / (9 / (8 * 3**0.5) * eps**-1.5) - 1))
    return {
        "kernel_lowest": float(min(lowest)),
        "kernel_peak_error": float(max(peak)),
        "slope_error": float(max(slope)),
        "tangential_error": float(max(tangential)),
    }


def definiteness(rng: np.random.Generator, dimensions: list[int], *, vectors: int) -> float:
    """Least eigenvalue over the largest, of K and K_1 to K_3 at random unit vectors."""
    found = []
    for dimension, eps in itertools.product(dimensions, (1e-3, 1.0)):
        u = rng.standard_normal((vectors, dimension))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        x = np.minimum(u @ u.T, 1)
        kinds = [kernel(x, eps), *(quadrature(R, x, eps) for R in (1, 2, 3))]
        found += [least_eigenvalue(K) for K in kinds]
    return min(found)


def least_eigenvalue(K: Float64[np.ndarray, "N N"]) -> float:
    """The least eigenvalue over the largest."""
    values = np.linalg.eigvalsh(K)
    return float(values[0] / values[-1])


def least_rise(points: int, *, eps: float, most: int = 15) -> float:
    """Least (K_{R+1} - K_R) / K over a grid and R < `most`, and least (K - K_R) / K."""
    x = np.linspace(-1, 1, points | 1)
    gaps = np.array([shortfall(R, x, eps) for R in range(1, most + 1)])
    return float(min((gaps[:-1] - gaps[1:]).min(), gaps.min()))


def rates() -> dict[str, float]:
    """The factor per node at RATE_POINTS, and its largest relative distance from the limit."""
    found, errors = {}, []
    for x, eps, few, many in RATE_POINTS:
        ratio = shortfall(many, x, eps) / shortfall(few, x, eps)
        factor = float(ratio) ** (1 / (many - few))
        found[f"node_factor_{x:g}"] = factor
        errors.append(abs(factor / float(theory.quadrature_rate(x, eps)) - 1))
    return found | {"rate_error": max(errors)}


def figure_errors() -> dict[str, float]:
    """The paper's quadrature figure, with its window of cosines and its stabiliser."""
    x, eps = np.linspace(-0.9, 0.9, 100), 1e-2
    exact = kernel(x, eps)
    found = {
        R: float(np.mean(np.abs(exact - quadrature(R, x, eps)) / (np.abs(exact) + 1e-10)))
        for R in PUBLISHED_QUADRATURE
    }
    worst = max(abs(found[R] - value) for R, value in PUBLISHED_QUADRATURE.items())
    named = {f"quadrature_error_{R}": value for R, value in found.items()}
    return named | {"quadrature_published_error": worst}


def peak_error() -> float:
    """Least relative error at x = 1 with up to three nodes and eps up to 0.01."""
    return min(float(shortfall(R, 1.0, e)) for R in (1, 2, 3) for e in (1e-6, 1e-3, 1e-2))


def noise_over_bias(x: float, *, eps: float, nodes: int, prf: int) -> float:
    """Relative deviation of the random features' sum (exact square) over the relative bias."""
    rule = theory.laguerre_nodes(nodes, eps)
    deviation = (theory.mixture_variance(rule, x) / prf) ** 0.5
    return float(deviation / shortfall(nodes, x, eps))


def design_error() -> float:
    """The mean of anchors without noise: on the icosahedron (d = 3) and on the roots of E8 (d = 8).

    Both integrate degree 4 exactly, so their anchor kernel is the limit of infinitely many.
    """
    rng, errors = np.random.default_rng(0), []
    for design in (icosahedron(), e8_roots()):
        d = design.shape[1]
        u, v = rng.standard_normal((2, 50, d))
        u, v = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (u, v))
        mean = np.mean((u @ design.T) ** 2 * (v @ design.T) ** 2, axis=1)
        limit = theory.anchor_mean(np.sum(u * v, axis=1), d)
        errors.append(np.max(np.abs(mean / limit - 1)))
    return float(max(errors))


def icosahedron() -> Float64[np.ndarray, "12 3"]:
    """Its vertices: cyclic shifts of (0, +-1, +-golden ratio), on the unit sphere."""
    golden = (1 + 5**0.5) / 2
    corners = np.array([(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)])
    every = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    return every / np.linalg.norm(every, axis=1, keepdims=True)


def e8_roots() -> Float64[np.ndarray, "240 8"]:
    """The 240 roots of E8 on the unit sphere: +-e_i +- e_j, and half signs with even parity."""
    pairs = []
    for i, j in itertools.combinations(range(8), 2):
        for a, b in itertools.product((-1, 1), repeat=2):
            root = np.zeros(8)
            root[i], root[j] = a, b
            pairs.append(root)
    signs = np.array(list(itertools.product((-0.5, 0.5), repeat=8)))
    halves = signs[(signs < 0).sum(axis=1) % 2 == 0]
    return np.concatenate([pairs, halves]) / 2**0.5


def measured(
    rng: np.random.Generator, *, eps: float, points: int, dimensions: list[int], vectors: int
) -> dict[str, float]:
    """All of it by summary key."""
    return {
        **integral_errors(),
        **bounds(points),
        "definiteness": definiteness(rng, dimensions, vectors=vectors),
        "least_rise": least_rise(points, eps=eps),
        **rates(),
        **figure_errors(),
        "peak_error": peak_error(),
        "design_error": design_error(),
        "noise_over_bias": noise_over_bias(0.5, eps=eps, nodes=2, prf=16),
    }
