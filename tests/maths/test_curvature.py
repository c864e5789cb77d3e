"""The structured moments of one layer against per-sample Hessians by automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import curvature
from feedrun.models import mlp
from feedrun.papers.noise_curvature import theory

WIDTHS, LAYER = (7, 6, 5, 4), 1
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}
LOSSES = {name: loss.value for name, loss in theory.LOSSES.items()}


def make(activation, loss, *, B=23, dtype=jnp.float64):
    """(factors, xs, per-sample loss of the flat weights, flat weights) of a small network."""
    init_key, x_key, y_key = jax.random.split(jax.random.key(0), 3)
    params = mlp.mlp(WIDTHS, activation=ACTIVATIONS[activation]).init(init_key)
    # Three times PyTorch's weights: outputs far from uniform, as after training.
    params = jax.tree.map(lambda leaf: 3 * leaf.astype(dtype), params)
    net = mlp.split(WIDTHS, LAYER, activation=ACTIVATIONS[activation])
    x = jax.random.normal(x_key, (B, WIDTHS[0]), dtype)
    xs = jax.vmap(lambda x: net.prefix(params, x))(x), jax.random.randint(y_key, (B,), 0, 4)
    of_z, W = (lambda z, y: LOSSES[loss](net.suffix(params, z), y)), net.weight(params)

    def factors(ay):
        return curvature.layer_factors(lambda z: of_z(z, ay[1]), W, ay[0])

    def of_weights(w, ay):
        return of_z(w.reshape(W.shape) @ ay[0], ay[1])

    return factors, xs, of_weights, W.reshape(-1)


def naive(of_weights, w, xs):
    """Per-sample gradients (B, P) and Hessians (B, P, P), formed."""
    g = jax.vmap(jax.grad(of_weights), (None, 0))(w, xs)
    return g, jax.vmap(jax.hessian(of_weights), (None, 0))(w, xs)


@pytest.mark.parametrize("chunk", [5, 23])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_moments_equal_those_of_formed_hessians(activation, loss, chunk):
    factors, xs, of_weights, w = make(activation, loss)
    g, h = naive(of_weights, w, xs)
    m = jax.jit(lambda xs: curvature.moments(factors, xs, chunk=chunk))(xs)
    expected = jnp.cov(g.T, bias=True), h.mean(0), (h @ h).mean(0)
    for ours, theirs in zip(m, expected, strict=True):
        np.testing.assert_allclose(
            ours, theirs, rtol=1e-10, atol=1e-10 * float(jnp.abs(theirs).max())
        )


def test_packed_product_equals_the_unpacked_one():
    factors, xs, _, _ = make("tanh", "cross_entropy")
    f = jax.vmap(factors)(xs)
    unpacked = jnp.einsum("bop,bi,bj->oipj", f.S, f.a, f.a).reshape(30, 30) / 23
    m = jax.jit(lambda xs: curvature.moments(factors, xs, chunk=8))(xs)
    np.testing.assert_allclose(m.H, unpacked, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_hessian_is_the_kronecker_product(activation):
    factors, xs, of_weights, w = make(activation, "cross_entropy")
    first = jax.tree.map(lambda x: x[0], xs)
    f = jax.jit(factors)(first)
    expected = jax.hessian(of_weights)(w, first)
    np.testing.assert_allclose(jnp.kron(f.S, jnp.outer(f.a, f.a)), expected, rtol=1e-10, atol=1e-14)


def test_projections_equal_those_of_formed_hessians():
    factors, xs, of_weights, w = make("relu", "cross_entropy")
    g, h = naive(of_weights, w, xs)
    V = jax.random.orthogonal(jax.random.key(3), 30)[:, :11]
    q = jax.jit(lambda xs, V: curvature.projections(factors, xs, V, chunk=4))(xs, V)
    hv = h @ V
    expected = g @ V, (V[None] * hv).sum(1), (hv**2).sum(1)
    for ours, theirs in zip(q, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def test_diagonals_from_projections_and_from_matrices_agree():
    factors, xs, _, _ = make("relu", "cross_entropy")
    V = jax.random.orthogonal(jax.random.key(3), 30)
    m = curvature.moments(factors, xs, chunk=23)
    q = curvature.projections(factors, xs, V, chunk=23)
    ours, theirs = curvature.diagonals(q, jnp.ones(23)), curvature.moment_diagonals(m, V)
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-14)


def test_integer_weights_count_a_sample_that_often():
    factors, xs, _, _ = make("relu", "cross_entropy", B=4)
    V = jnp.eye(30)
    counts = jnp.array([2.0, 0.0, 1.0, 3.0])
    repeated = jax.tree.map(lambda x: x[jnp.array([0, 0, 2, 3, 3, 3])], xs)
    weighted = curvature.diagonals(curvature.projections(factors, xs, V, chunk=4), counts)
    plain = curvature.diagonals(curvature.projections(factors, repeated, V, chunk=6), jnp.ones(6))
    for x, y in zip(weighted, plain, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
def test_spectrum_holds_every_eigenvalue_that_is_not_zero(loss):
    factors, xs, of_weights, w = make("tanh", loss)
    first = jax.tree.map(lambda x: x[0], xs)
    ours = jnp.concatenate([curvature.spectrum(factors(first)), jnp.zeros(25)])
    theirs = jnp.linalg.eigvalsh(jax.hessian(of_weights)(w, first))
    np.testing.assert_allclose(jnp.sort(ours), theirs, rtol=1e-10, atol=1e-13)


def test_batch_means_without_replacement_have_the_finite_population_covariance():
    values = jax.random.normal(jax.random.key(0), (6, 2))
    C1 = jnp.cov(values.T, bias=True)
    pairs = [(i, j) for i in range(6) for j in range(i)]
    means = jnp.stack([(values[i] + values[j]) / 2 for i, j in pairs])
    expected = (6 - 2) / (6 - 1) * C1 / 2
    np.testing.assert_allclose(jnp.cov(means.T, bias=True), expected, rtol=1e-10)


@pytest.mark.slow
def test_float32_stays_float32():
    factors, xs, _, _ = make("relu", "cross_entropy", dtype=jnp.float32)
    V = jnp.eye(30, dtype=jnp.float32)
    m = curvature.moments(factors, xs, chunk=10)
    q = curvature.projections(factors, xs, V, chunk=10)
    d = curvature.diagonals(q, jnp.ones(23, jnp.float32))
    assert {leaf.dtype for leaf in jax.tree.leaves((m, q, d))} == {jnp.dtype(jnp.float32)}
