"""Intervals over repeats: coverage is measured, not believed."""

import numpy as np
import pytest

from feedrun.maths import stats


@pytest.mark.parametrize("repeats", [3, 5, 8, 20])
def test_interval_of_normal_repeats_covers_the_mean_95_times_in_100(repeats):
    trials, rng = 1500, np.random.default_rng(repeats)
    draws = rng.normal(2.0, 3.0, (trials, repeats))
    covered = [low <= 2.0 <= high for low, high in map(interval, draws)]
    se = np.sqrt(0.95 * 0.05 / trials)
    assert abs(np.mean(covered) - 0.95) < 4 * se + 0.005  # 1,000 resamples leave half a percent


@pytest.mark.parametrize("repeats", [8, 30])
def test_interval_of_skewed_repeats_covers_nearly_as_often(repeats):
    trials, rng = 1500, np.random.default_rng(repeats)
    draws = rng.exponential(1.0, (trials, repeats))
    covered = [low <= 1.0 <= high for low, high in map(interval, draws)]
    assert 0.85 < np.mean(covered) < 0.97  # known: skewness costs coverage at small R


def test_plain_bootstrap_of_four_repeats_would_not_cover():
    rng = np.random.default_rng(1)
    draws = rng.normal(0.0, 1.0, (1500, 4))
    plain = [stats.bootstrap_interval(x, tail=0.025, resamples=1000, seed=0) for x in draws]
    assert np.mean([low <= 0 <= high for low, high in plain]) < 0.88


def test_interval_is_deterministic_and_scales_with_the_data():
    values = np.random.default_rng(0).normal(size=12)
    low, high = stats.mean_interval(values)
    assert (low, high) == stats.mean_interval(values)
    np.testing.assert_allclose(stats.mean_interval(3 * values + 1), (3 * low + 1, 3 * high + 1))


def test_small_sample_interval_is_students():
    from scipy.stats import t

    values = np.array([1.0, 2.0, 4.0])
    expected = t.interval(0.95, 2, values.mean(), values.std(ddof=1) / np.sqrt(3))
    np.testing.assert_allclose(stats.mean_interval(values), expected, rtol=1e-10)


def test_equal_repeats_have_no_width():
    assert stats.mean_interval(np.full(5, 0.3)) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 2.0, np.nan]])
def test_too_few_or_non_finite_repeats_are_refused(values):
    with pytest.raises(ValueError, match="repeats"):
        stats.mean_interval(np.array(values))


def interval(values):
    return stats.mean_interval(values, resamples=1000)
