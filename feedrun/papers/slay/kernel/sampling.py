"""Monte Carlo: mean, variance and rate of positive features, orthogonal ones, anchors.

Every function is one compiled program that maps over blocks of draws, each from a key of its own,
and returns a row a block: sums of blocks are taken in float64 on the host.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.maths import exponential_features as exponential
from feedrun.maths import fits, sphere
from feedrun.maths import square_features as square
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import features
from feedrun.papers.slay.attention.mechanisms import Sizes
from feedrun.papers.slay.kernel.identities import least_eigenvalue

SCALES = (0.25, 0.5)
"""The s at which positive features are tested."""

COSINES = (-0.5, 0.0, 0.5, 1.0)
"""The x, of which the variance is tested up to VARIANCE_UP_TO: beyond, its tail is too heavy."""

VARIANCE_UP_TO = 0.5

ANCHOR_COSINES = (0.0, 0.5, 1.0)

NODE = float(theory.laguerre_nodes(2, 1e-3).nodes[0])
"""s of the first of two nodes, .293, where rate and orthogonality are measured."""


def pair(x: float, dimension: int) -> Float[Array, "2 D"]:
    """Unit vectors along the axes, u = e_1 and v = x e_1 + sqrt(1 - x^2) e_2."""
    u, v = np.zeros((2, dimension))
    u[0], v[0], v[1] = 1, x, (1 - x**2) ** 0.5
    return jnp.asarray(np.stack([u, v]), float)


def products(omega: Float[Array, "M D"], s: float, x: float) -> Float[Array, "M"]:
    """f_i(u) f_i(v) over its mean e^{2 s x}, the plain positive features of sqrt(2 s) u."""
    f = exponential.positive(omega)((2 * s) ** 0.5 * pair(x, omega.shape[1]).astype(omega.dtype))
    return len(omega) * f[0] * f[1] * np.exp(-2 * s * (1 + x)).astype(omega.dtype)


@partial(jax.jit, static_argnames=("dimension", "block"))
def feature_moments(
    keys: Key[Array, "N"], *, dimension: int, block: int
) -> Float[Array, "N 2 SCALES COSINES"]:
    """Means of the products and of their squares over blocks of `block` features."""

    def one(key):
        omega = exponential.gaussian_rows(key, block, dimension)
        drawn = [[products(omega, s, x) for x in COSINES] for s in SCALES]
        return jnp.stack(
            [jnp.array([[jnp.mean(p**n) for p in row] for row in drawn]) for n in (1, 2)]
        )

    return jax.lax.map(one, keys)


def positive_features(key: Key[Array, ""], *, draws: int, block: int) -> dict[str, float]:
    """Worst deviation of a mean in standard errors, worst relative error of a variance.

    In the plane of u and v: neither depends on the dimension. The squares' tail is heavy: at s = x
    = 1/2 the variance has a relative standard error of (1.8e5 / draws)^{1/2}, .03 at 2e8 draws.
    """
    keys = jax.random.split(key, max(1, draws // block))
    rows = np.asarray(feature_moments(keys, dimension=2, block=block), float)
    mean, square_mean = rows.mean(axis=0)
    variance = square_mean - mean**2
    deviation = (mean - 1) / np.sqrt(variance / (len(keys) * block))
    x, s = np.array(COSINES), np.array(SCALES)
    error = variance / theory.exponential_variance(x, s[:, None]) - 1
    return {
        "prf_deviation": float(np.abs(deviation).max()),
        "prf_variance_error": float(np.abs(error[:, x <= VARIANCE_UP_TO]).max()),
    }


@partial(jax.jit, static_argnames=("dimension", "counts", "block"))
def squared_errors(
    keys: Key[Array, "N"], *, dimension: int, counts: tuple[int, ...], block: int
) -> Float[Array, "N K"]:
    """Mean square relative error with the first counts[k] features, over `block` repeats."""

    def one(key):
        omega = exponential.gaussian_rows(key, block * max(counts), dimension)
        drawn = products(omega, NODE, 0.0).reshape(block, -1)
        means = [jnp.mean(drawn[:, :count], axis=1) for count in counts]
        return jnp.stack([jnp.mean((m - 1) ** 2) for m in means])

    return jax.lax.map(one, keys)


def monte_carlo_rate(
    key: Key[Array, ""], *, counts: tuple[int, ...], block: int, blocks: int
) -> list[float]:
    """Slope of log error against log D, one a block of repeats; in the plane, as the means."""
    keys = jax.random.split(key, blocks)
    squares = squared_errors(keys, dimension=2, counts=counts, block=block)
    return (fits.log_slope(np.array(counts, float), np.asarray(squares, float).T) / 2).tolist()


@partial(jax.jit, static_argnames=("dimension", "haar"))
def block_estimates(keys: Key[Array, "N"], *, dimension: int, haar: bool) -> Float[Array, "N"]:
    """The kernel at x = 0 over its value, from `dimension` orthogonal features a key."""
    draw = exponential.orthogonal_rows if haar else plain_qr_rows

    def one(key):  # one QR at a time
        return jnp.mean(products(draw(key, dimension, dimension), NODE, 0.0))

    return jax.lax.map(one, keys)


def plain_qr_rows(key: Key[Array, ""], count: int, dimension: int) -> Float[Array, "D D"]:
    """Orthogonal rows without the sign fix that makes LAPACK's Q uniform (to show what it does)."""
    matrix_key, norm_key = jax.random.split(key)
    Q, _ = jnp.linalg.qr(jax.random.normal(matrix_key, (dimension, dimension)))
    norms = jnp.linalg.norm(jax.random.normal(norm_key, (count, dimension)), axis=1)
    return norms[:, None] * Q[:count]


def orthogonal(
    key: Key[Array, ""], dimensions: list[int], *, draws: list[int], parts: int
) -> dict[str, Any]:
    """Bias in standard errors, variance over that of independent features in `parts` parts.

    `draws[i]` features in dimension i; the plain Q of QR in the first dimension alone.
    """
    plain_key, *keys = jax.random.split(key, 1 + len(dimensions))
    deviations, found = [], {}
    for own_key, d, count in zip(keys, dimensions, draws, strict=True):
        drawn = _in_parts(own_key, d, count // d, parts, haar=True)
        deviations.append(abs(drawn.mean() - 1) / (drawn.std() / drawn.size**0.5))
        independent = theory.exponential_variance(0.0, NODE) / d
        found[f"orthogonal_ratio_{d}"] = (drawn.var(axis=1, ddof=1) / independent).tolist()
    d = dimensions[0]
    plain = _in_parts(plain_key, d, draws[0] // d, parts, haar=False)
    found["plain_qr_bias"] = (plain.mean(axis=1) - 1).tolist()
    return found | {"orthogonal_deviation": float(max(deviations))}


def _in_parts(key, dimension: int, count: int, parts: int, *, haar: bool) -> np.ndarray:
    keys = jax.random.split(key, parts * (count // parts))
    drawn = block_estimates(keys, dimension=dimension, haar=haar)
    return np.asarray(drawn, float).reshape(parts, -1)


@partial(jax.jit, static_argnames=("dimension", "block"))
def anchor_means(
    keys: Key[Array, "N"], *, dimension: int, block: int
) -> Float[Array, "N ANCHOR_COSINES"]:
    """<phi(u), phi(v)> with `block` anchors over (1 + 2x^2) / (d (d + 2)), at ANCHOR_COSINES."""
    expected = [float(theory.anchor_mean(np.asarray(x), dimension)) for x in ANCHOR_COSINES]

    def one(key):
        phi = square.anchors(key, dimension, block, scaled=False)
        grams = [jnp.prod(phi(pair(x, dimension)), axis=0).sum() for x in ANCHOR_COSINES]
        return jnp.stack(grams) / jnp.array(expected)

    return jax.lax.map(one, keys)


def anchors(key: Key[Array, ""], dimensions: list[int], *, draws: int, block: int) -> float:
    """Largest relative error of the anchors' mean."""
    worst = []
    for own_key, d in zip(jax.random.split(key, len(dimensions)), dimensions, strict=True):
        keys = jax.random.split(own_key, max(1, draws // block))
        means = np.asarray(anchor_means(keys, dimension=d, block=block), float).mean(axis=0)
        worst.append(np.abs(means - 1).max())
    return float(max(worst))


def features_definiteness(key: Key[Array, ""], dimension: int, vectors: int, sizes: Sizes) -> float:
    """Least eigenvalue over the largest of the Grams of positive features, in float64."""
    grams = feature_factors(key, dimension=dimension, vectors=vectors, sizes=sizes)
    products = ([np.asarray(f, float) for f in factors] for factors in grams)
    return min(least_eigenvalue((a @ a.T) * (b @ b.T)) for a, b in products)


@partial(jax.jit, static_argnames=("dimension", "vectors", "sizes"))
def feature_factors(key: Key[Array, ""], *, dimension: int, vectors: int, sizes: Sizes):
    """Factors of SLAY's features and of those with an exact square, of random unit vectors."""
    u_key, *keys = jax.random.split(key, 3)
    u = sphere.uniform(u_key, (vectors, dimension))
    budget = {"nodes": sizes.nodes, "prf": sizes.prf, "eps": sizes.eps}
    return (
        features.slay(keys[0], dimension, poly=sizes.poly, **budget).factors(u),
        features.exact_square_exponentials(keys[1], dimension, **budget).factors(u),
    )
