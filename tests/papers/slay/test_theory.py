"""The Yat kernel's identities, bounds and quadrature, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import sphere
from feedrun.papers.slay import theory

X = np.linspace(-1, 1, 401)


def test_yat_on_unit_vectors_is_the_spherical_kernel():
    q, k = sphere.uniform(jax.random.key(0), (2, 7, 5))
    expected = theory.spherical_yat(q @ k.T, 0.01)
    np.testing.assert_allclose(theory.yat(q, k, 0.01), expected, rtol=1e-10)


def test_yat_of_long_vectors_is_its_definition():
    q, k = jax.random.normal(jax.random.key(0), (2, 3, 4))
    expected = [[(a @ b) ** 2 / (jnp.sum((a - b) ** 2) + 0.1) for b in k] for a in q]
    np.testing.assert_allclose(theory.yat(q, k, 0.1), np.array(expected), rtol=1e-10)


@pytest.mark.parametrize("eps", [1e-3, 0.1])
@pytest.mark.parametrize("x", [-1.0, -0.3, 0.5, 0.9, 1.0])
def test_both_laplace_integrals_give_the_kernel(x, eps):
    K = float(theory.spherical_yat(jnp.asarray(x), eps))
    np.testing.assert_allclose(theory.laplace_integral(x, eps), K, rtol=1e-10)
    np.testing.assert_allclose(theory.signed_laplace(x, eps), K, rtol=1e-10, atol=1e-12)


def test_slope_is_the_derivative():
    x = jnp.linspace(-1, 0.99, 40)
    grads = jax.vmap(jax.grad(lambda x: theory.spherical_yat(x, 0.05)))(x)
    np.testing.assert_allclose(theory.slope(x, 0.05), grads, rtol=1e-10, atol=1e-14)


def test_quadrature_never_exceeds_the_kernel_and_rises_with_every_node():
    K = np.asarray(theory.spherical_yat(jnp.asarray(X), 1e-3))
    rises = [theory.quadrature_kernel(theory.laguerre_nodes(R, 1e-3), X) for R in range(1, 8)]
    for lower, higher in zip(rises, [*rises[1:], K], strict=True):
        assert (lower <= higher * (1 + 1e-13)).all()


@pytest.mark.parametrize("x", [-1.0, 0.5])
def test_each_node_divides_the_error_by_the_predicted_rate(x):
    K = float(theory.spherical_yat(jnp.asarray(x), 0.01))
    errors = [
        K - theory.quadrature_kernel(theory.laguerre_nodes(R, 0.01), np.array(x)) for R in (8, 12)
    ]
    measured = (errors[1] / errors[0]) ** 0.25
    # The rate is a limit; at R = 8 to 12 ten per cent are allowed.
    np.testing.assert_allclose(measured, theory.quadrature_rate(np.array(x), 0.01), rtol=0.1)


def test_limit_kernels_are_the_kernel_plus_what_they_should_not_have():
    x = jnp.asarray(X)
    K = theory.spherical_yat(x, 0.1)
    np.testing.assert_allclose(theory.laplace_limit(x, 0.1), K + 2.1 / 4 + x / 2, rtol=1e-10)
    anchor = theory.anchor_limit(x, 0.1)
    np.testing.assert_allclose(anchor, 2 * K + 1 / (2.1 - 2 * x), rtol=1e-10)


def test_kernel_attention_is_the_weighted_mean_of_what_is_seen():
    S = jnp.abs(jax.random.normal(jax.random.key(0), (4, 4)))
    v = jax.random.normal(jax.random.key(1), (4, 2))
    out = theory.kernel_attention(S, v, causal=True, delta=0.0)
    for i in range(4):
        weights = S[i, : i + 1] / S[i, : i + 1].sum()
        np.testing.assert_allclose(out[i], weights @ v[: i + 1], rtol=1e-10)
    negative = theory.kernel_attention(-S, v, causal=False, delta=0.5, clamp=True)
    np.testing.assert_allclose(negative, -S @ v / 0.5, rtol=1e-10)


@pytest.mark.parametrize(("d", "eps", "share"), [(16, 1e-2, 0.75), (64, 1e-3, 0.5)])
def test_far_square_keeps_the_mean_and_explains_more_than_the_square(d, eps, share):
    w, shift = theory.far_square(d, eps)
    x = sphere.uniform(jax.random.key(0), (400_000, d))[:, 0]
    K, fitted, square = theory.spherical_yat(x, eps), w * (x + shift) ** 2, x**2 / (2 + eps)
    error = (K - fitted).std() / len(x) ** 0.5
    assert abs(float((K - fitted).mean())) < 4 * error
    assert float(((K - fitted) ** 2).mean()) < share * float(((K - square) ** 2).mean())


def test_far_square_tends_to_the_square_in_high_dimension():
    """By K = x^2 / C + 2 x^3 / C^2 + ..., x^3 ~ 3 x / (d + 2): w C -> 1, shift (d + 2) -> 3 / C."""
    for d in (64, 128, 256):
        w, shift = theory.far_square(d, 1e-3)
        assert abs(w * 2.001 - 1) < 2 / d and abs(shift * (d + 2) / (3 / 2.001) - 1) < 4 / d
