"""Every layer under every loss against per-sample gradients and Hessians that are formed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.models import mlp
from feedrun.papers.noise_curvature import theory
from feedrun.papers.noise_curvature.layer import float64, mlp_layer

WIDTHS, B = (7, 6, 5, 4), 23


def make(loss, number):
    """(Layer, params, xs, g (B, P), h (B, P, P)); weights three times PyTorch's, as if trained."""
    init_key, x_key, y_key = jax.random.split(jax.random.key(0), 3)
    model = mlp.mlp(WIDTHS)
    params = jax.tree.map(lambda w: 3 * w, float64(model.init(init_key)))
    x = jax.random.normal(x_key, (B, WIDTHS[0]))
    y = jax.random.randint(y_key, (B,), 0, WIDTHS[-1])
    name = f"layers_{number}"
    W = params["params"][name]["kernel"].T

    def of_weights(w, x, y):
        inner = params["params"] | {name: {"kernel": w.reshape(W.shape).T}}
        return theory.LOSSES[loss].value(model.apply({"params": inner}, x), y)

    each = lambda f: jax.vmap(f(of_weights), (None, 0, 0))(W.reshape(-1), x, y)  # noqa: E731
    layer = mlp_layer(WIDTHS, layer=number, loss=theory.LOSSES[loss], chunk=5)
    a, value, _ = layer.activities(params, x, y)
    np.testing.assert_allclose(value, each(lambda f: f), rtol=1e-10)
    return layer, params, (a, y), each(jax.grad), each(jax.hessian)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("loss", theory.LOSSES)
def test_moments_are_those_of_formed_hessians(loss, number):
    layer, params, xs, g, h = make(loss, number)
    expected = jnp.cov(g.T, bias=True), h.mean(0), (h @ h).mean(0)
    for ours, theirs in zip(layer.moments(params, xs), expected, strict=True):
        scale = float(jnp.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize("loss", theory.LOSSES)
def test_spectra_are_those_of_formed_hessians(loss):
    layer, params, xs, _, h = make(loss, 1)
    theirs = jnp.linalg.eigvalsh(h)
    ours = jnp.concatenate([layer.spectra(params, xs), jnp.zeros((B, 25))], axis=1)
    np.testing.assert_allclose(jnp.sort(ours), theirs, rtol=1e-9, atol=1e-12)
    assert (theirs.min() < -1e-3) == (loss == "softmax_mse")


@pytest.mark.parametrize("loss", theory.LOSSES)
def test_fisher_matrix_is_the_hessian_of_a_likelihood_only(loss):
    layer, params, xs, _, h = make(loss, 1)
    H = jnp.diagonal(h.mean(0))
    close = jnp.allclose(layer.fisher(params, xs, jnp.eye(30)), H, rtol=1e-10, atol=1e-15)
    assert close == layer.loss.nll


def test_unit_inputs_under_logit_mse_make_the_second_moment_the_curvature():
    """One layer: S = 2/K I, so E2 = (2/K) H exactly and both have exponent 1."""
    widths, K = (6, 4), 4
    layer = mlp_layer(widths, layer=0, loss=theory.LOSSES["logit_mse"], chunk=10)
    params = float64(mlp.mlp(widths).init(jax.random.key(0)))
    a = jax.random.normal(jax.random.key(1), (40, 6))
    xs = a / jnp.linalg.norm(a, axis=1, keepdims=True), jnp.zeros(40, int)
    m = layer.moments(params, xs)
    np.testing.assert_allclose(m.E2, 2 / K * m.H, rtol=1e-10, atol=1e-16)
