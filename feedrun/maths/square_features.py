"""Feature maps phi with <phi(u), phi(v)> equal to, or about, (u . v)^2.

A map is a NamedTuple of the matrices it was drawn with, and is called on (T, D) vectors; as a
pytree it passes through jit, and a stack of maps (heads, seeds) through vmap.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths import sphere


class SymmetricSquare(NamedTuple):
    """Exact, D (D + 1) / 2 features: u_i^2 and sqrt(2) u_i u_j for every pair."""

    def __call__(self, u: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T D^2)."""
        return jnp.concatenate([u**2, *_pairs(u.shape[1] // 2, 2**0.25 * u)], axis=1)


class SquaredProjections(NamedTuple):
    """Nonnegative, M features M^{-1/2} (a_i . u)^2; no estimate of (u . v)^2 (see `anchors`)."""

    directions: Float[Array, "M D"]

    def __call__(self, u: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T M D)."""
        return (u @ self.directions.T) ** 2 / len(self.directions) ** 0.5


class CentredProjections(NamedTuple):
    """Unbiased for unit vectors, signed, M + 1 features: squared projections less their mean.

    sqrt(D (D + 2) / (2 M)) ((a_i . u)^2 - 1 / D) and the constant D^{-1/2}.
    """

    directions: Float[Array, "M D"]

    def __call__(self, u: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T M D)."""
        count, d = self.directions.shape
        centred = (d * (d + 2) / (2 * count)) ** 0.5 * ((u @ self.directions.T) ** 2 - 1 / d)
        return jnp.pad(centred, ((0, 0), (0, 1)), constant_values=d**-0.5)


class RandomMaclaurin(NamedTuple):
    """Signed, M features M^{-1/2} (r_i . u)(t_i . u): unbiased if E r r' = E t t' = I.

    Kar and Karnick 2012 (arXiv 1201.6530).
    """

    first: Float[Array, "M D"]
    second: Float[Array, "M D"]

    def __call__(self, u: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T M D)."""
        return (u @ self.first.T) * (u @ self.second.T) / len(self.first) ** 0.5


class TensorSketch(NamedTuple):
    """Unbiased, signed, M features: the circular convolution of two CountSketches of u.

    Pham and Pagh 2013. A sketch is kept as its (D, M) matrix of one sign a row: at the sizes of
    attention heads the product is cheaper than the scatter.
    """

    first: Float[Array, "D M"]
    second: Float[Array, "D M"]

    def __call__(self, u: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T M (D + log M))."""
        waves = jnp.fft.rfft(u @ self.first) * jnp.fft.rfft(u @ self.second)
        return jnp.fft.irfft(waves, n=self.first.shape[1])


class Nystroem(NamedTuple):
    """Biased, signed, M features k(u, A) (k(A, A) + jitter I)^{-1/2} with M landmarks A."""

    landmarks: Float[Array, "M D"]
    root: Float[Array, "M M"]

    def __call__(self, u: Float[Array, "T D"]) -> Float[Array, "T M"]:
        """O(T M (D + M))."""
        return (u @ self.landmarks.T) ** 2 @ self.root


def shifted_square(
    u: Float[Array, "T D"], *, scale: float, shift: float, lags: int
) -> Float[Array, "T M"]:
    """Features of scale (u . v + shift)^2 for unit vectors, exact from `lags` = D // 2 on.

    sqrt(2 shift) u_i, u_i^2 + c and sqrt(2) u_i u_{i+l} for l = 1..lags, indices taken cyclically,
    all times sqrt(scale): D (lags + 2) of them, in all D (D + 3) / 2. With 2c + D c^2 = shift^2 the
    constant needs none of its own, as |u| = 1. A product left out takes 2 u_i u_j v_i v_j away.
    O(T M).
    """
    D = u.shape[1]
    level = ((1 + D * shift**2) ** 0.5 - 1) / D
    linear, diagonal = (2 * scale * shift) ** 0.5 * u, scale**0.5 * (u**2 + level)
    return jnp.concatenate([linear, diagonal, *_pairs(lags, (2 * scale) ** 0.25 * u)], axis=1)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _pairs(lags: int, u):
    """u_i u_{i+l} for l = 1..lags, cyclically, each pair once: slices, as gathers take far longer.

    So does the gradient that jax would derive, a sum of padded arrays.
    """
    D, twice = u.shape[1], jnp.concatenate([u, u], axis=1)
    products = [u * twice[:, lag : lag + D] for lag in range(1, lags + 1)]
    if lags and 2 * lags == D:
        products[-1] = products[-1][:, : D // 2]  # the other half is the same pairs again
    return products


def _pairs_back(lags, u, gs):
    """sum_l g_l[i] u_{i+l} + g_l[i-l] u_{i-l}."""
    D, twice = u.shape[1], jnp.concatenate([u, u], axis=1)
    total = jnp.zeros_like(u)
    for lag, g in enumerate(gs, start=1):
        g = jnp.pad(g, ((0, 0), (0, D - g.shape[1])))
        back = jnp.tile(g * u, 2)[:, D - lag : 2 * D - lag]
        total = total + g * twice[:, lag : lag + D] + back
    return (total,)


_pairs.defvjp(lambda lags, u: (_pairs(lags, u), u), _pairs_back)


def lags_within(count: int, dimension: int) -> int:
    """How many lags of a shifted square `count` features have room for."""
    if count < 2 * dimension:
        raise ValueError(
            f"a shifted square in {dimension} dimensions needs {2 * dimension} features or more, "
            f"got {count}"
        )
    if count >= dimension * (dimension + 3) // 2:
        return dimension // 2
    return count // dimension - 2


def anchors(
    key: Key[Array, ""], dimension: int, count: int, *, scaled: bool, dtype=float
) -> SquaredProjections:
    """Uniform directions a, for which E <phi(u), phi(v)> = (1 + 2 (u . v)^2) / (D (D + 2)).

    `scaled` multiplies the features by sqrt(D (D + 2)), so that this is 1 + 2 (u . v)^2.
    """
    directions = sphere.uniform(key, (count, dimension), dtype=dtype)
    scale = (dimension * (dimension + 2)) ** 0.25 if scaled else 1.0
    return SquaredProjections(scale * directions)


def debiased_anchors(
    key: Key[Array, ""], dimension: int, count: int, *, dtype=float
) -> CentredProjections:
    """Uniform directions, their mean subtracted: unbiased."""
    return CentredProjections(sphere.uniform(key, (count, dimension), dtype=dtype))


def random_maclaurin(
    key: Key[Array, ""], dimension: int, count: int, *, gaussian: bool = False, dtype=float
) -> RandomMaclaurin:
    """Rademacher projections, or Gaussian ones, whose variance is larger."""
    draw = jax.random.normal if gaussian else jax.random.rademacher
    r, t = draw(key, (2, count, dimension), dtype)
    return RandomMaclaurin(r, t)


def tensor_sketch(key: Key[Array, ""], dimension: int, count: int, *, dtype=float) -> TensorSketch:
    """Two independent hashes of the coordinates into `count` buckets, with signs."""
    hash_key, sign_key = jax.random.split(key)
    buckets = jax.random.randint(hash_key, (2, dimension), 0, count)
    signs = jax.random.rademacher(sign_key, (2, dimension, 1), dtype)
    return TensorSketch(*(signs * jax.nn.one_hot(buckets, count, dtype=dtype)))


def nystroem(
    key: Key[Array, ""], dimension: int, count: int, *, jitter: float, dtype=float
) -> Nystroem:
    """Uniform landmarks; the root by eigenvectors, eigenvalues below `jitter` raised to it."""
    A = sphere.uniform(key, (count, dimension), dtype=dtype)
    values, V = jnp.linalg.eigh((A @ A.T) ** 2 + jitter * jnp.eye(count, dtype=dtype))
    return Nystroem(A, (V / jnp.sqrt(jnp.maximum(values, jitter))[None]) @ V.T)
