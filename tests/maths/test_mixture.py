"""Mixtures of filters against the formula written out with dense Gaussians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import mixture
from feedrun.maths.mixture import Filters

T, B, M = 9, 4, 6


def still(state, models, x, y):
    """A hypothesis: y ~ N(level, noise), whatever was seen; x shifts the mean."""
    level, noise = models
    return state, level + x, noise


FILTERS = Filters(
    lambda models: jnp.zeros(()), lambda models, state, x, y: still(state, models, x, y)
)


def make(groups=1, seed=0):
    rng = np.random.default_rng(seed)
    level, noise = rng.standard_normal(M), rng.uniform(0.3, 2, M)
    prior = rng.dirichlet(np.ones(M))
    split = tuple(jnp.asarray(v.reshape(groups, -1, 1)) for v in (level, noise))
    x, y = rng.standard_normal(T), rng.standard_normal((T, B))
    return split, jnp.log(jnp.asarray(prior.reshape(groups, -1))), jnp.asarray(x), jnp.asarray(y)


def run(models, log_prior, x, y):
    return jax.jit(lambda *a: mixture.mixture(FILTERS, *a))(models, log_prior, x, y)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_mixture_is_the_formula_written_out_however_hypotheses_are_grouped(groups):
    models, log_prior, x, y = make(groups)
    found = run(models, log_prior, x, y)
    level, noise = (np.asarray(v).reshape(M, 1) for v in models)
    w = np.exp(np.asarray(log_prior).reshape(M, 1)) * np.ones((M, B))
    for t in range(T):
        w = w / w.sum(axis=0)
        mean = level + float(x[t])
        expected = (w * mean).sum(axis=0)
        np.testing.assert_allclose(found.mean[t], expected, atol=1e-12)
        square = (w * (noise + mean**2)).sum(axis=0)
        np.testing.assert_allclose(found.var[t], square - expected**2, atol=1e-12)
        np.testing.assert_allclose(found.effective[t], 1 / (w**2).sum(axis=0), rtol=1e-10)
        w = w * np.exp(-((np.asarray(y[t]) - mean) ** 2) / noise / 2) / np.sqrt(noise)


@pytest.mark.parametrize("groups", [1, 3])
def test_expectations_are_weighted_readings_of_the_state_before(groups):
    models, log_prior, x, y = make(groups)
    counting = Filters(  # the state is the sum of what was seen
        lambda models: jnp.zeros(B),
        lambda models, state, x, y: (state + y, *still(state, models, x, y)[1:]),
    )
    reading = lambda models, state: jnp.stack(  # noqa: E731
        [models[0] * state[None], jnp.broadcast_to(models[1], (len(models[1]), B))]
    )
    run = jax.jit(lambda *a: mixture.expectations(counting, reading, *a))
    found = run(models, log_prior, x, y)
    level, noise = (np.asarray(v).reshape(M, 1) for v in models)
    w = np.exp(np.asarray(log_prior).reshape(M, 1)) * np.ones((M, B))
    for t in range(T):
        w = w / w.sum(axis=0)
        before = np.asarray(y[:t]).sum(axis=0)
        np.testing.assert_allclose(found[t, 0], (w * level).sum(axis=0) * before, atol=1e-12)
        np.testing.assert_allclose(found[t, 1], (w * noise).sum(axis=0), atol=1e-12)
        error = (np.asarray(y[t]) - level - float(x[t])) ** 2
        w = w * np.exp(-error / noise / 2) / np.sqrt(noise)


def test_one_hypothesis_is_that_filter():
    models, _, x, y = make(6)
    one = jax.tree.map(lambda leaf: leaf[:1], models)
    found = run(one, jnp.zeros((1, 1)), x, y)
    np.testing.assert_allclose(
        found.mean, np.asarray(one[0][0, 0] + x)[:, None] * np.ones(B), rtol=1e-12
    )
    np.testing.assert_allclose(found.effective, 1)


def test_the_order_of_hypotheses_changes_nothing():
    models, log_prior, x, y = make()
    turned = jax.tree.map(lambda leaf: leaf[:, ::-1], models)
    one, two = run(models, log_prior, x, y), run(turned, log_prior[:, ::-1], x, y)
    np.testing.assert_allclose(one.mean, two.mean, atol=1e-12)


def test_hypotheses_that_explain_nothing_leave_finite_weights():
    models, log_prior, x, y = make(2)
    found = run(models, log_prior, x, y + 1e4)
    assert np.isfinite(found.mean).all() and (found.effective >= 1 - 1e-9).all()


def test_a_hypothesis_of_weight_zero_changes_nothing():
    models, log_prior, x, y = make()
    more = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[:, :1] + 1], axis=1), models)
    heavier = jnp.concatenate([log_prior, jnp.full((1, 1), -jnp.inf)], axis=1)
    np.testing.assert_allclose(
        run(models, log_prior, x, y).mean, run(more, heavier, x, y).mean, atol=1e-12
    )


def test_float32_stays_float32():
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), make())
    assert {leaf.dtype for leaf in run(*single)} == {np.dtype("float32")}
