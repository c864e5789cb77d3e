"""Verdicts are statistics."""

import pytest

from feedrun.experiment import Claim, Estimate, judge

BETWEEN = Claim("a", "lies between one and two", "Thm 1", "paper", "x", low=1.0, high=2.0)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (1.5, "holds"),
        (1.0, "holds"),
        (2.5, "fails"),
        ([1.4, 1.5, 1.6], "holds"),
        ([2.4, 2.5, 2.6], "fails"),
        ([1.9, 2.0, 2.1], "undecided"),
        ([0.5, 1.5, 2.5], "undecided"),
        ([1.4, 1.6], "undecided"),
        (Estimate(1.5, 1.2, 1.8), "holds"),
        (Estimate(1.5, 0.9, 1.8), "undecided"),
        (Estimate(2.5, 2.1, 2.9), "fails"),
    ],
)
def test_verdict_follows_from_the_interval_of_the_estimate(value, verdict):
    assert judge(BETWEEN, {"x": value}).verdict == verdict


def test_missing_metric_is_not_measured():
    assert judge(BETWEEN, {"y": 1.0}) == (BETWEEN, None, None, None, 0, "not measured")


def test_missing_bound_is_unbounded():
    assert judge(BETWEEN._replace(high=None), {"x": 1e9}).verdict == "holds"
    assert judge(BETWEEN._replace(low=None), {"x": -1e9}).verdict == "holds"


def test_judgement_keeps_what_was_measured():
    judged = judge(BETWEEN, {"x": [1.4, 1.5, 1.6]})
    assert judged.value == pytest.approx(1.5) and judged.n == 3
    assert judged.low is not None and judged.high is not None
    assert judged.low < 1.5 < judged.high
