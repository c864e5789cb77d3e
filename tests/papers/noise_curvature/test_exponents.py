"""Fits of a set of diagonals, their bootstrap, their bend."""

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths.curvature import Diagonals, Projections
from feedrun.papers.noise_curvature import exponents


def planted(*, K=30):
    """C = H^1.4 / 5 and E2 = H^1.3."""
    H = jnp.logspace(0, -5, K)
    return Diagonals(H**1.4 / 5, H, H**1.3)


def test_planted_exponents_are_recovered():
    e = exponents.exponents(planted())
    np.testing.assert_allclose(jnp.stack(e[:3]), [1.4, 1.3, 1.4 / 1.3], rtol=1e-9)
    np.testing.assert_allclose(jnp.stack(e[3:]), 1, rtol=1e-9)


def test_flat_directions_count_nothing():
    d = planted()
    broken = Diagonals(d.C.at[-1].set(1.0), d.H.at[-1].set(1e-11), d.E2.at[-1].set(1.0))
    np.testing.assert_allclose(exponents.exponents(broken).gamma_emp, 1.4, rtol=1e-9)


def test_layerwise_fit_recovers_planted_exponents():
    np.testing.assert_allclose(exponents.layerwise(planted()), [1.4, 1.3], rtol=1e-9)


def test_layerwise_fit_drops_the_lowest_twentieth_of_each_log_and_fits_the_stiffest_four_fifths():
    """Against the rule written out in numpy, on a law with scatter and flat directions."""
    noise = jax.random.normal(jax.random.key(0), (2, 60))
    H = jnp.logspace(0, -6, 60)
    d = Diagonals(H**1.4 * 10 ** noise[0], H.at[55:].set(0), H**1.3 * 10 ** noise[1])
    for A, ours in zip((d.C, d.E2), exponents.layerwise(d), strict=True):
        x, y = np.log10(np.asarray(H)[:55]), np.log10(np.asarray(A)[:55])
        keep = (x >= np.percentile(x, 5)) & (y >= np.percentile(y, 5))
        x, y = x[keep], y[keep]
        n = int(0.8 * len(x))
        np.testing.assert_allclose(ours, np.polyfit(x[:n], y[:n], 1)[0], rtol=1e-9)
        assert abs(np.polyfit(x, y, 1)[0] - ours) > 1e-3  # the rule matters here


def test_flat_and_negative_directions_are_counted_and_have_no_ratio():
    d = planted()
    broken = Diagonals(d.C.at[-2:].set(0.0), d.H.at[-2:].set(jnp.array([0, -1.0])), d.E2)
    assert exponents.unfitted(d) == 0
    assert exponents.unfitted(broken) == 2
    expected = np.median((d.C / d.E2)[:-2])
    np.testing.assert_allclose(exponents.median_ratio(broken), expected, rtol=1e-10)


def test_bend_of_a_straight_law_is_zero():
    np.testing.assert_allclose(exponents.bend(planted()), 0, atol=1e-9)


def test_bend_is_negative_where_the_stiff_end_is_less_steep():
    H = jnp.logspace(0, -5, 60)
    u = jnp.log10(H)
    quadratic, stiff = exponents.bend(Diagonals(10 ** (1.2 * u - 0.05 * u**2), H, H))
    np.testing.assert_allclose(quadratic, -0.05, rtol=1e-9)
    assert stiff < 0


def test_bootstrap_interval_covers_the_population_exponent():
    """h = kap on one of 12 directions, P ~ kap, and g ~ N(0, kap^2): both exponents are 1.5."""
    direction_key, g_key, draw_key = jax.random.split(jax.random.key(0), 3)
    kap = jnp.logspace(0, -2, 12)
    chosen = jax.nn.one_hot(
        jax.random.choice(direction_key, 12, (4000,), p=kap / kap.sum()), 12, dtype=kap.dtype
    )
    g = chosen * kap[None] * jax.random.normal(g_key, (4000, 1))
    q = Projections(g, chosen * kap[None], chosen * kap[None] ** 2)
    draws = exponents.replicates(draw_key, q, count=400)
    (emp_low, emp_high), (e2_low, e2_high) = exponents.gamma_intervals(draws)
    assert emp_low < 1.5 < emp_high
    assert e2_low < 1.5 < e2_high
    assert emp_high - emp_low < 0.2
