"""Intervals over repeats: coverage is measured, not believed."""

import numpy as np
import pytest
from scipy.special import bdtr

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


@pytest.mark.parametrize("repeats", [8, 9, 23, 60])
def test_rounding_gives_equal_repeats_no_width(repeats):
    for value in (0.1, 0.3, 1 / 3):
        assert stats.mean_interval(np.full(repeats, value)) == (value, value)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 2.0, np.nan]])
def test_too_few_or_non_finite_repeats_are_refused(values):
    with pytest.raises(ValueError, match="repeats"):
        stats.mean_interval(np.array(values))


def interval(values):
    return stats.mean_interval(values, resamples=1000)


@pytest.mark.parametrize(("successes", "trials"), [(1, 4), (37, 100), (63, 64)])
def test_ends_of_a_proportions_interval_leave_two_and_a_half_per_cent_in_each_tail(
    successes, trials
):
    low, high = stats.proportion_interval(successes, trials)
    np.testing.assert_allclose(1 - bdtr(successes - 1, trials, low), 0.025, rtol=1e-9)
    np.testing.assert_allclose(bdtr(successes, trials, high), 0.025, rtol=1e-9)


def test_all_or_no_successes_reach_one_or_zero():
    np.testing.assert_allclose(stats.proportion_interval(0, 4), (0, 1 - 0.025**0.25), rtol=1e-9)
    np.testing.assert_allclose(stats.proportion_interval(4, 4), (0.025**0.25, 1), rtol=1e-9)


def test_more_successes_than_trials_are_refused():
    with pytest.raises(ValueError, match="5"):
        stats.proportion_interval(5, 4)


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


def middle(values):
    """Sorted values (R,) without floor(R / 4) at each end."""
    cut = len(values) // 4
    return np.sort(values)[cut : len(values) - cut]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 10, 11, 12, 13, 40])
def test_iqm_is_the_mean_trimmed_by_a_quarter_at_each_end(size):
    values = np.random.default_rng(size).standard_normal(size)
    expected = middle(values).mean()
    np.testing.assert_allclose(stats.iqm(values), expected, rtol=1e-12)


def test_iqm_of_scores_by_task_is_that_of_all_scores():
    scores = np.random.default_rng(0).standard_normal((5, 4))
    expected = middle(scores.ravel()).mean()
    np.testing.assert_allclose(stats.iqm(scores), expected, rtol=1e-12)


def test_stratified_interval_is_rliables_by_hand():
    """Draw the runs of each task anew, mean of the middle half, quantiles (rliable 1.2)."""
    tasks = [np.random.default_rng(t).standard_normal(6) + t for t in range(3)]
    rng, drawn = np.random.default_rng(0), []
    for scores in tasks:
        drawn.append(scores[rng.integers(0, 6, (500, 6))])
    means = [middle(np.concatenate(d)).mean() for d in zip(*drawn, strict=True)]
    expected = np.percentile(means, [2.5, 97.5])
    np.testing.assert_allclose(
        stats.stratified_iqm_interval(tasks, resamples=500), expected, rtol=1e-12
    )


def test_stratified_interval_does_not_see_the_distance_between_strata():
    near = [np.random.default_rng(t).standard_normal(8) for t in range(2)]
    far = [near[0], near[1] + 1000.0]
    widths = [np.diff(stats.stratified_iqm_interval(strata))[0] for strata in (near, far)]
    assert widths[1] < 3 * widths[0]


def test_iqm_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    runs, hits = 400, 0
    for _ in range(runs):
        low, high = stats.stratified_iqm_interval([rng.standard_normal(40)], resamples=500)
        hits += low <= 0 <= high
    assert abs(hits / runs - 0.95) < 4 * np.sqrt(0.95 * 0.05 / runs)
