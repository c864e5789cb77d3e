"""A claim over several runs: exact numbers hold in each, what scatters is judged by its mean."""

import pytest

from feedrun.analysis import claims as pooling
from feedrun.records import find
from tests import made


def pooled(tmp_path, values, low=None, high=None, verdicts=None, missing=()):
    """The one claim 'x in [low, high]' over runs of one config that measured `values`."""
    for seed, value in enumerate(values):
        verdict = verdicts[seed] if verdicts else "holds"
        row = made.CLAIM | {"metric": "x", "expected_low": low, "expected_high": high}
        summary = {"y": 0.0} if seed in missing else {"x": value}
        made.record(
            tmp_path, id=f"{seed}", seed=seed, summary=summary, claims=[row | {"verdict": verdict}]
        )
    (one,) = pooling.pooled(find.gather([tmp_path]).records)
    return one


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.1, 0.2, 0.3], "holds"),
        ([0.1, 0.49, 0.3], "holds"),  # Student's interval of the mean would end at 0.78
        ([0.6, 0.7, 9.0], "fails"),
        ([0.1, 0.1, 0.6], "undecided"),
        ([0.1, 0.1], "holds"),
    ],
)
def test_exact_numbers_are_judged_by_their_range(tmp_path, values, verdict):
    found = pooled(tmp_path, values, high=0.5)
    assert (found.row["verdict"], found.over, found.runs) == (verdict, "range", len(values))
    assert (found.row["low"], found.row["high"]) == (min(values), max(values))
    assert found.row["value"] == pytest.approx(sum(values) / len(values))


def test_one_exact_violation_among_many_runs_is_not_averaged_away(tmp_path):
    found = pooled(tmp_path, [0.01] * 19 + [0.7], high=0.5)
    assert found.row["value"] < 0.05 and found.row["verdict"] == "undecided"


def test_what_scatters_is_judged_by_the_interval_of_its_mean_over_runs(tmp_path):
    values = [[1.0, 1.2], [1.1, 1.3], [0.9, 1.3], [1.0, 1.0]]  # means 1.1, 1.2, 1.1, 1.0
    found = pooled(tmp_path, values, low=0.9, high=1.3)
    assert (found.row["verdict"], found.over, found.row["n"]) == ("holds", "runs", 4)
    assert 0.9 < found.row["low"] < 1.1 < found.row["high"] < 1.3
    assert max(max(v) for v in values) == 1.3  # single repeats may touch the bound


def test_a_list_of_one_is_random_and_judged_from_three_runs_on(tmp_path):
    two = pooled(tmp_path / "two", [[0.1], [0.2]], high=0.5)
    three = pooled(tmp_path / "three", [[0.1], [0.2], [0.15]], high=0.5)
    assert (two.row["verdict"], two.row["low"], two.over) == ("undecided", None, "")
    assert (three.row["verdict"], three.over) == ("holds", "runs")


def test_proportions_of_one_stay_uncertain(tmp_path):
    fit = {"value": 1.0, "low": 0.7, "high": 1.0}
    assert pooled(tmp_path, [fit, fit, fit], low=0.9).row["verdict"] == "undecided"


def test_a_single_run_keeps_its_recorded_verdict(tmp_path):
    found = pooled(tmp_path, [[1.0, 2.0, 3.0]], low=0.0, verdicts=["fails"])
    assert (found.row["verdict"], found.runs, found.over) == ("fails", 1, "repeats")


def test_verdicts_of_the_single_runs_are_counted(tmp_path):
    found = pooled(tmp_path, [0.1, 0.2, 0.7], high=0.5, verdicts=["holds", "holds", "fails"])
    assert found.own == {"holds": 2, "fails": 1}


def test_runs_that_lack_the_metric_do_not_count(tmp_path):
    verdicts = ["holds", "not measured", "holds"]
    found = pooled(tmp_path, [0.1, 0.0, 0.2], high=0.5, verdicts=verdicts, missing=[1])
    assert (found.row["verdict"], found.runs, found.row["n"]) == ("holds", 2, 2)
    assert found.own["not measured"] == 1


def test_nothing_measured_anywhere_is_said(tmp_path):
    found = pooled(tmp_path, [0.0, 0.0], verdicts=["not measured"] * 2, missing=[0, 1])
    assert found.row["verdict"] == "not measured"


def test_claims_that_expect_other_things_stay_apart(tmp_path):
    for seed, high in enumerate((0.5, 0.5, 0.7)):
        claims = [made.CLAIM | {"expected_high": high}]
        made.record(tmp_path, id=f"{seed}", seed=seed, claims=claims)
    found = pooling.pooled(find.gather([tmp_path]).records)
    assert [(one.runs, one.row["expected_high"]) for one in found] == [(2, 0.5), (1, 0.7)]
