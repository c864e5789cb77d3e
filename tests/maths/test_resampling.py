"""Bootstrap weights and intervals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import fits, resampling


def test_weights_are_counts_with_unit_mean_and_variance():
    w = resampling.poisson_weights(jax.random.key(0), jnp.ones(500), replicates=400)
    assert (w == jnp.round(w)).all()
    se = w.size**-0.5
    assert abs(w.mean() - 1) < 4 * se
    assert abs(w.var() - 1) < 4 * se * 3**0.5  # the fourth central moment of Poisson(1) is 4


def test_interval_holds_the_central_share():
    low, high = resampling.percentile_interval(jnp.arange(1001.0), level=0.9)
    np.testing.assert_allclose([low, high], [50, 950], rtol=1e-10)


@pytest.mark.slow
def test_slope_intervals_cover_the_truth_as_often_as_they_say():
    """y_k = mean of exponential draws around x_k^1.3: 300 data sets of 200 samples."""
    x = jnp.logspace(-2, 0, 12)

    def covered(key):
        draw_key, weight_key = jax.random.split(key)
        samples = x[None] ** 1.3 * jax.random.exponential(draw_key, (200, 12))
        w = resampling.poisson_weights(weight_key, samples[:, 0], replicates=300)
        means = w @ samples / w.sum(1, keepdims=True)
        slopes = jax.vmap(lambda y: fits.power_law(x, y).slope)(means)
        low, high = resampling.percentile_interval(slopes, level=0.95)
        return (low <= 1.3) & (high >= 1.3)

    share = jax.jit(jax.vmap(covered))(jax.random.split(jax.random.key(1), 300)).mean()
    assert abs(share - 0.95) < 4 * (0.95 * 0.05 / 300) ** 0.5


def test_float32_stays_float32():
    w = resampling.poisson_weights(jax.random.key(0), jnp.ones(5, jnp.float32), replicates=4)
    low, _ = resampling.percentile_interval(w[0], level=0.5)
    assert w.dtype == low.dtype == jnp.float32
