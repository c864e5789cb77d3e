"""What varies, which runs belong together, and what is said of a group of runs."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from feedrun.analysis import groups
from feedrun.maths import stats
from feedrun.records import find
from tests import made


def records(tmp_path, runs):
    """Records of a list of (config, seed, summary)."""
    for number, (config, seed, summary) in enumerate(runs):
        made.record(
            tmp_path, id=f"{number:03d}", config=config, seed=seed, summary=summary, minute=number
        )
    return find.gather([tmp_path]).records


def test_what_varies_is_named_by_dotted_keys_without_the_seed(tmp_path):
    found = records(
        tmp_path,
        [
            ({"a": {"b": 1, "c": [1, 2]}, "d": "x"}, 0, None),
            ({"a": {"b": 2, "c": [1, 2]}, "d": "x"}, 1, None),
            ({"a": {"b": 2, "c": [1, 3]}, "d": "x"}, 2, None),
        ],
    )
    assert groups.varying(found) == ["a.b", "a.c"]
    assert groups.varying(found[:1]) == []


def test_scale_and_experiment_set_runs_apart(tmp_path):
    made.record(tmp_path, id="1")
    made.record(tmp_path, id="2", scale="smoke", minute=1)
    made.record(tmp_path, id="3", experiment="other", minute=2)
    found = find.gather([tmp_path]).records
    labels = [group.label for group in groups.groups(found)]
    assert labels == [
        "experiment=made, scale=laptop",
        "experiment=made, scale=smoke",
        "experiment=other, scale=laptop",
    ]


def test_groups_are_configs_without_their_seed_labelled_by_what_differs(tmp_path):
    runs = [({"n": n, "deep": {"on": True}}, s, None) for s in (0, 1) for n in (16, 4, 100)]
    found = groups.groups(records(tmp_path, runs))
    assert [group.label for group in found] == ["n=4", "n=16", "n=100"]
    assert [[r.run["seed"] for r in group.records] for group in found] == [[0, 1]] * 3


def test_words_stay_in_the_order_in_which_they_were_run(tmp_path):
    runs = [({"kind": kind, "n": n}, 0, None) for kind in ("slay", "elu") for n in (2, 1)]
    found = groups.groups(records(tmp_path, runs))
    assert [group.label for group in found] == [
        "kind=slay, n=1", "kind=slay, n=2", "kind=elu, n=1", "kind=elu, n=2",
    ]  # fmt: skip


def test_a_key_that_only_some_runs_have_sets_them_apart(tmp_path):
    found = groups.groups(records(tmp_path, [({"n": 1}, 0, None), ({"n": 1, "lr": 2.5}, 0, None)]))
    assert [group.label for group in found] == ["lr=-", "lr=2.5"]


def test_chosen_keys_decide_the_groups(tmp_path):
    runs = [({"n": n, "kind": kind}, 0, None) for n in (1, 2) for kind in ("a", "b")]
    found = groups.groups(records(tmp_path, runs), ["kind"])
    assert [(g.label, len(g.records)) for g in found] == [("kind=a", 2), ("kind=b", 2)]


def test_over_seeds_a_run_counts_with_the_mean_of_its_repeats(tmp_path):
    values = [[1.0, 2.0, 3.0], [2.0, 2.0, 8.0], [3.0, 3.0, 3.0]]
    found = records(tmp_path, [({"n": 1}, s, {"x": v}) for s, v in enumerate(values)])
    cell = groups.cells(found, ["x"])[0]
    half = scipy_stats.t.ppf(0.975, 2) * np.std([2, 4, 3], ddof=1) / np.sqrt(3)
    assert cell is not None and cell.values == [2.0, 4.0, 3.0]
    assert (cell.value, cell.n, cell.over, cell.iqm) == (3.0, 3, "runs", None)
    assert (cell.low, cell.high) == pytest.approx((3 - half, 3 + half), rel=1e-12)


@pytest.mark.parametrize(
    ("stored", "low", "high", "over"),
    [
        (1.5, None, None, ""),
        ([1.0, 2.0], None, None, ""),
        ({"value": 1.5, "low": 1.0, "high": 1.75}, 1.0, 1.75, "fit"),
        ([1.0, 1.5, 2.0], *stats.mean_interval(np.array([1.0, 1.5, 2.0])), "repeats"),
    ],
)
def test_a_single_run_has_the_interval_of_its_own_repeats_or_fit(tmp_path, stored, low, high, over):
    cell = groups.cells(records(tmp_path, [({}, 0, {"x": stored})]), ["x"])[0]
    assert cell == (1.5, low, high, 1, over, None, [1.5])


def test_two_seeds_have_a_mean_and_no_interval(tmp_path):
    found = records(
        tmp_path, [({}, s, {"x": {"value": float(s), "low": -9, "high": 9}}) for s in (1, 2)]
    )
    assert groups.cells(found, ["x"])[0] == (1.5, None, None, 2, "", None, [1.0, 2.0])


def test_runs_without_the_metric_do_not_count(tmp_path):
    found = records(tmp_path, [({}, s, {"x": 1.0} if s else {"y": 1.0}) for s in range(3)])
    cell = groups.cells(found, ["x"])[0]
    assert cell is not None and cell.n == 2
    assert groups.cells(found, ["z"])[0] is None
    assert groups.metrics(found) == ["y", "x"]


def test_many_runs_have_an_interquartile_mean_with_its_configs_as_strata(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal([[0.0], [100.0]], size=(2, 6))
    runs = [({"task": t}, s, {"x": values[t, s]}) for t in range(2) for s in range(6)]
    cell = groups.cells(records(tmp_path, runs), ["x"])[0]
    assert cell is not None and cell.iqm is not None
    assert cell.iqm.value == pytest.approx(scipy_stats.trim_mean(values.ravel(), 0.25))
    expected = stats.stratified_iqm_interval(list(values))
    assert (cell.iqm.low, cell.iqm.high) == expected
    # One stratum for all would draw seven of one task and five of the other: far wider.
    assert cell.iqm.high - cell.iqm.low < 3


def test_fits_that_agree_by_chance_keep_their_own_uncertainty(tmp_path):
    stored = {"value": 1.0, "low": 0.94, "high": 1.0}
    cell = groups.cells(records(tmp_path, [({}, s, {"x": stored}) for s in range(4)]), ["x"])[0]
    assert cell is not None and (cell.value, cell.high) == (1.0, 1.0)
    assert cell.low == pytest.approx(1 - 0.06 / 2)  # four equal errors: half of one


def test_fits_that_scatter_more_than_they_say_have_the_interval_of_their_scatter(tmp_path):
    values = [1.0, 2.0, 6.0]
    stored = [{"value": v, "low": v - 0.1, "high": v + 0.1} for v in values]
    found = records(tmp_path, [({}, s, {"x": v}) for s, v in enumerate(stored)])
    cell = groups.cells(found, ["x"])[0]
    assert cell is not None
    assert (cell.low, cell.high) == pytest.approx(stats.mean_interval(np.array(values)))
