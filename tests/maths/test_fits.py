"""Log-log fits against planted laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import fits

power_law, log_parabola = jax.jit(fits.power_law), jax.jit(fits.log_parabola)


@pytest.fixture
def x():
    """Forty points over six decades."""
    return jnp.logspace(-6, 0, 40)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.4, 2.0])
def test_a_planted_power_law_is_recovered(x, exponent):
    line = power_law(x, 3e-4 * x**exponent)
    np.testing.assert_allclose(line.slope, exponent, rtol=1e-10)
    np.testing.assert_allclose(10**line.intercept, 3e-4, rtol=1e-9)
    np.testing.assert_allclose(line.r2, 1, rtol=1e-10)


def test_slope_and_r2_equal_numpys(x):
    y = x**1.2 * 10 ** (0.3 * jax.random.normal(jax.random.key(0), x.shape))
    line, (u, v) = power_law(x, y), (np.log10(x), np.log10(y))
    np.testing.assert_allclose(line.slope, np.polyfit(u, v, 1)[0], rtol=1e-10)
    np.testing.assert_allclose(line.r2, np.corrcoef(u, v)[0, 1] ** 2, rtol=1e-10)


def test_points_that_are_not_positive_count_nothing(x):
    y = x**1.5
    broken = y.at[3].set(0).at[7].set(-1e3)
    np.testing.assert_allclose(power_law(x.at[9].set(0), broken).slope, 1.5, rtol=1e-10)


def test_parabola_recovers_curvature_and_slope(x):
    u = jnp.log10(x) - jnp.log10(x).mean()
    p = log_parabola(x, 10 ** (0.07 * u**2 + 1.3 * u - 2))
    np.testing.assert_allclose(jnp.stack(p[:3]), [0.07, 1.3, -2], rtol=1e-9)


def test_decades_span_the_positive_entries(x):
    np.testing.assert_allclose(fits.decades(x.at[0].set(0)), 6 - 6 / 39, rtol=1e-10)


def test_float32_stays_float32(x):
    x = x.astype(jnp.float32)
    assert {leaf.dtype for leaf in (*power_law(x, x**2), *log_parabola(x, x**2))} == {x.dtype}


def test_slope_equals_numpys_over_the_points_that_are_kept():
    t = jnp.linspace(2, 5, 30)
    y = jnp.sin(t) + jax.random.normal(jax.random.key(1), t.shape)
    np.testing.assert_allclose(fits.slope(t, y), np.polyfit(t, y, 1)[0], rtol=1e-10)
    keep = (t > 2.5) & (t < 4)
    ours = jax.jit(fits.slope)(t, jnp.where(keep, y, jnp.nan), keep)
    np.testing.assert_allclose(ours, np.polyfit(t[keep], y[keep], 1)[0], rtol=1e-10)


def test_log_slope_recovers_the_exponent_of_every_column():
    x, exponents = np.geomspace(1e-3, 50, 9), np.array([-0.5, 1.0, 2.3])
    np.testing.assert_allclose(fits.log_slope(x, 7 * x[:, None] ** exponents), exponents)
    np.testing.assert_allclose(fits.log_slope(x, x**1.4), 1.4)
