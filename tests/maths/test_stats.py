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


@pytest.mark.parametrize("repeats", [6, 20, 64])
def test_interval_of_the_median_covers_it_at_least_95_times_in_100(repeats):
    trials, rng = 2000, np.random.default_rng(repeats)
    draws = rng.exponential(1.0, (trials, repeats))
    covered = [low <= np.log(2) <= high for low, high in map(stats.median_interval, draws)]
    assert np.mean(covered) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / trials)


def test_interval_of_the_median_is_the_tabulated_pair_of_order_statistics():
    assert stats.median_interval(np.arange(1, 21)) == (6, 15)  # n = 20: ranks 6 and 15
    assert stats.median_interval(np.arange(1, 7)) == (1, 6)
    assert stats.median_interval(np.append(np.arange(1.0, 20.0), np.inf)) == (6, 15)


def test_interval_of_the_median_of_five_repeats_is_refused():
    with pytest.raises(ValueError, match="needs more than 5 repeats"):
        stats.median_interval(np.arange(5))


def test_width_between_quantiles_has_an_interval_that_covers_it():
    rng = np.random.default_rng(0)
    found = [
        stats.quantile_width(rng.normal(size=100), low=0.1, high=0.9, resamples=200)
        for _ in range(200)
    ]
    covered = np.mean([low <= 2 * 1.2815515655 <= high for _, low, high in found])
    assert covered > 0.88  # the percentile bootstrap of quantiles covers less than its 95%
