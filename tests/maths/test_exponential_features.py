"""Positive random features: unbiased, positive, of the variance that theory gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import exponential_features as exponential
from feedrun.maths import sphere

D = 5


def pair(*, x=0.3, length=0.7):
    """Two vectors of one length and cosine x, (2, D)."""
    a, b = sphere.uniform(jax.random.key(7), (2, D))
    b = sphere.normalise(b - (a @ b) * a)
    return length * jnp.stack([a, x * a + (1 - x**2) ** 0.5 * b])


def products(u, *, count, repeats=10_000, rows=exponential.gaussian_rows, A=0.0):
    """Independent estimates of e^{u_0 . u_1}."""

    def estimate(key):
        f, g = exponential.positive(rows(key, count, D), A)(u)
        return f @ g * jnp.exp(-(u[0] @ u[0]))

    return np.asarray(jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(1), repeats)))


def relative_variance(square, A, dimension):
    """Variance of f(u) f(v) over its squared mean e^{2 u . v}, at |u + v|^2 = square.

    (1 - 4A)^D (1 - 8A)^{-D/2} exp(|u + v|^2 / (1 - 8A)) - 1; for A = 0, e^{|u + v|^2} - 1.
    """
    narrow, wide = 1 - 4 * jnp.asarray(A), 1 - 8 * jnp.asarray(A)
    return jnp.expm1(dimension * (jnp.log(narrow) - jnp.log(wide) / 2) + square / wide)


def judged(draws, truth):
    assert abs(draws.mean() - truth) < 4 * draws.std() / draws.size**0.5


@pytest.mark.parametrize("rows", [exponential.gaussian_rows, exponential.orthogonal_rows])
@pytest.mark.parametrize("A", [0.0, -0.1, 0.03])
@pytest.mark.parametrize("x", [-0.6, 0.3, 1.0])
def test_features_are_unbiased(rows, A, x):
    u = pair(x=x)
    judged(products(u, count=3, rows=rows, A=A), float(jnp.exp(u[0] @ u[1])))


@pytest.mark.parametrize("A", [0.0, -0.1])
def test_variance_is_the_closed_form(A):
    u = pair()
    truth, square = jnp.exp(u[0] @ u[1]), jnp.sum((u[0] + u[1]) ** 2)
    spread = (products(u, count=1, A=A, repeats=100_000) / truth - 1) ** 2
    expected = relative_variance(square, A, D)
    assert abs(spread.mean() - expected) < 4 * spread.std() / spread.size**0.5


@pytest.mark.parametrize("square", [0.3, 1.2, 7.0])
def test_optimal_bend_has_the_least_variance(square):
    best = exponential.optimal_bend(square, D)
    around = best + jnp.linspace(-0.05, 0.05, 101)
    variances = jax.vmap(relative_variance, (None, 0, None))(square, around, D)
    assert best < 0
    np.testing.assert_allclose(around[jnp.argmin(variances)], best, atol=1e-12)
    assert variances.min() < relative_variance(square, 0.0, D)


def test_orthogonal_rows_are_orthogonal_in_blocks_and_gaussian_in_length():
    w = exponential.orthogonal_rows(jax.random.key(0), 2 * D + 2, D)
    dots = w @ w.T - jnp.diag(jnp.sum(w**2, axis=1))
    for first, last in ((0, D), (D, 2 * D), (2 * D, 2 * D + 2)):
        np.testing.assert_allclose(dots[first:last, first:last], 0, atol=1e-12)
    keys = jax.random.split(jax.random.key(1), 4000)
    many = jax.vmap(lambda k: exponential.orthogonal_rows(k, 2, D))(keys)
    squares = np.asarray(jnp.sum(many**2, axis=-1)).ravel()
    judged(squares, D)  # chi^2 with D degrees of freedom: mean D, variance 2 D
    judged((squares - D) ** 2, 2 * D)


def test_orthogonal_rows_have_less_variance():
    u = pair()
    plain, orthogonal = (
        products(u, count=D, rows=rows).var()
        for rows in (exponential.gaussian_rows, exponential.orthogonal_rows)
    )
    assert orthogonal < 0.95 * plain


def test_float32_stays_float32_and_positive():
    w = exponential.orthogonal_rows(jax.random.key(0), 9, D, dtype=jnp.float32)
    phi = exponential.positive(w, exponential.optimal_bend(1.0, D).astype(jnp.float32))
    features = phi(pair().astype(jnp.float32))
    assert features.dtype == jnp.float32 and features.min() > 0
