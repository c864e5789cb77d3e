"""Crossing times, medians with and without censoring, and final rates of planted laws."""

import numpy as np
import pytest

from feedrun.papers.mean_field.phase import measures, schemes


def test_crossing_of_an_exponential_median_is_exact():
    times = np.linspace(0, 10, 21)
    rates, ends = np.array([[1.0], [2.0]]), np.log(1e3) / np.array([1.0, 2.0])
    np.testing.assert_allclose(measures.crossings(times, np.exp(-rates * times)), ends, rtol=1e-12)


def test_a_start_that_never_crosses_is_infinitely_late():
    times = np.linspace(0, 1, 5)
    medians = np.stack([np.full(5, 0.5), np.geomspace(1, 1e-6, 5)])
    np.testing.assert_array_equal(np.isinf(measures.crossings(times, medians)), [True, False])


def test_moments_are_close_where_the_model_crosses_and_reach_the_horizon():
    times = measures.moments(32.0, 6.0, 240)
    assert len(times) == 240 and times[0] == 0 and np.all(np.diff(times) > 0)
    np.testing.assert_allclose(times[-1], 6 * 32.0)
    near = times < 1.5 * 32.0 + 10
    assert near.sum() == 159 and np.diff(times[near]).max() < 0.5


def test_moments_leave_room_for_the_end_where_the_crossing_is_early():
    assert measures.moments(1.0, 1.0, 60)[-1] >= 1.0 + measures.ROOM


def test_median_survives_starts_that_never_crossed_but_not_too_many():
    values = np.append(np.arange(1.0, 51.0), np.full(14, np.inf))
    found = measures.median(values)
    assert found is not None and found.value == 32.5 and found.low < 32.5 < found.high < 50
    assert measures.median(np.append(np.arange(10.0), np.full(10, np.inf))) is None


def test_width_is_left_out_where_a_start_never_crossed():
    assert measures.width(np.array([1.0, 2.0, 3.0, np.inf])) is None
    found = measures.width(np.linspace(0, 1, 101))
    assert found is not None
    np.testing.assert_allclose(found.value, 0.8)
    assert found.low < 0.8 < found.high


@pytest.mark.parametrize(
    ("scheme", "law", "slope"),
    [
        ("ngpt", lambda t: np.exp(-2 * t), -2),
        ("sqrt", lambda t: np.exp(-4 * np.sqrt(t)), -4),
        ("peri_ln", lambda t: t**-2.0, -2),
        ("ln_scaling", lambda t: 1 / t, -1),
    ],
)
def test_final_rate_recovers_a_planted_law(scheme, law, slope):
    u = np.linspace(0.1, 20, 200)
    gap = law(np.exp(schemes.log_depth(u, 5.0, scheme=scheme)))
    assert measures.final_rate(u, gap, 5.0, scheme=scheme) == pytest.approx(slope, rel=1e-9)


def test_final_rate_is_left_out_where_the_end_was_not_reached():
    u = np.linspace(0.1, 3, 50)
    assert measures.final_rate(u, np.exp(-2 * u), 5.0, scheme="post_ln") is None
