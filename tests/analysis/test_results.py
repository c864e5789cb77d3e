"""Results by what varies: differences are paired, baselines and metrics are found or refused."""

from collections.abc import Iterable

import numpy as np
import pytest

from feedrun.analysis import results
from feedrun.analysis.results import Difference
from feedrun.maths import stats
from feedrun.records import find
from feedrun.report import results as resultgrid
from tests import made


def records(
    tmp_path, kinds=("a", "b"), seeds: Iterable[int] = range(4), tasks=("x",), shift=1.0, **more
):
    """accuracy = a value of the seed, plus `shift` for every kind after the first."""
    noise = np.random.default_rng(0).standard_normal(100)
    minute = 0
    for task in tasks:
        for place, kind in enumerate(kinds):
            for seed in seeds:
                value = noise[seed] + shift * place + 0.01 * noise[50 + 7 * place + seed]
                value += 5 * tasks.index(task)
                config = {"task": task, "model": {"kind": kind}}
                minute += 1
                made.record(
                    tmp_path, id=f"{minute}", config=config, seed=seed, minute=minute,
                    summary={"accuracy": float(value), "loss": [1.0, 2.0, 3.0]}, **more,
                )  # fmt: skip
    return find.gather([tmp_path]).records


def difference(row) -> Difference:
    """The difference of a row's only metric."""
    found = row.entries[0].difference
    assert found is not None
    return found


def cell(row):
    found = row.entries[0].cell
    assert found is not None
    return found


def want(**given):
    return results.Wanted(**given)


def test_differences_are_paired_by_seed_and_far_sharper_than_the_means(tmp_path):
    found = results.results(records(tmp_path), want(baseline={"kind": "a"}, show=["accuracy"]))
    base, other = found.rows
    apart = difference(other)
    ours, theirs = (np.array(cell(row).values) for row in (other, base))
    assert base.is_baseline and base.entries[0].difference is None
    expected = stats.mean_interval(ours - theirs)
    assert (apart.low, apart.high) == pytest.approx(expected)
    assert apart.value == pytest.approx(1.0, abs=0.1) and apart.pairs == 4
    assert np.diff(expected) < 0.1 * np.diff(stats.mean_interval(theirs))


def test_a_baseline_is_that_of_the_same_task(tmp_path):
    found = results.results(
        records(tmp_path, tasks=("x", "y")), want(baseline={"model.kind": "a"}, show=["accuracy"])
    )
    assert [(r.group.values["task"], r.is_baseline) for r in found.rows] == [
        ("x", True), ("x", False), ("y", True), ("y", False),
    ]  # fmt: skip
    assert all(difference(row).pairs == 4 for row in found.rows[1::2])


def test_only_seeds_that_both_have_are_compared(tmp_path):
    records(tmp_path / "a", kinds=("a",), seeds=range(5))
    minute = 50
    for seed in (3, 4, 9):
        minute += 1
        config = {"task": "x", "model": {"kind": "b"}}
        made.record(
            tmp_path / "b", id=f"b{seed}", config=config, seed=seed, minute=minute,
            summary={"accuracy": 0.5},
        )  # fmt: skip
    all_records = find.gather([tmp_path]).records
    found = results.results(all_records, want(baseline={"kind": "a"}, show=["accuracy"]))
    apart = difference(found.rows[1])
    assert (apart.pairs, apart.low, apart.high) == (2, None, None)


def test_the_difference_of_two_fits_has_both_their_errors(tmp_path):
    for seed, (kind, value) in enumerate([("a", 1.0), ("b", 3.0)]):
        fit = {"value": value, "low": value - 0.3, "high": value + 0.4}
        made.record(tmp_path, id=kind, config={"kind": kind}, minute=seed, summary={"x": fit})
    found = results.results(find.gather([tmp_path]).records, want(baseline={"kind": "a"}))
    apart = difference(found.rows[1])
    assert (apart.low, apart.high) == pytest.approx((1.5, 2.5))  # 3, 4, 5


def test_rows_that_merge_configs_say_so_and_pair_within_them(tmp_path):
    found = results.results(
        records(tmp_path, tasks=("x", "y")),
        want(rows=["kind"], baseline={"kind": "a"}, show=["accuracy"]),
    )
    assert found.notes == ["rows average over runs that also differ in task"]
    assert [cell(row).n for row in found.rows] == [8, 8]
    apart = difference(found.rows[1])
    assert apart.pairs == 8 and apart.value == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"show": ["acuracy"]}, r"no run measured acuracy \(did you mean accuracy\?\)"),
        ({"rows": ["knd"]}, "no run has a key knd"),
        ({"rows": ["model.kin"]}, r"no run has a key model.kin \(did you mean model.kind\?\)"),
        ({"baseline": {"kind": "c"}}, "baseline model.kind=c: no run has it; there is a, b"),
        ({"baseline": {"task": "x"}}, "baseline task=x: the rows do not differ in task"),
    ],
)
def test_what_names_nothing_is_refused_with_the_nearest_name(tmp_path, given, line):
    with pytest.raises(ValueError, match=line):
        results.results(records(tmp_path), want(**given))


@pytest.mark.parametrize(
    ("table", "line"),
    [({"rowz": ["kind"]}, "table: rowz: extra inputs"), ({"show": 3}, "table: show: input should")],
)
def test_a_wrong_table_of_a_sweep_is_one_line(table, line):
    with pytest.raises(ValueError, match=line):
        results.wanted(table)


def test_patterns_choose_metrics_in_their_order(tmp_path):
    found = records(tmp_path)
    assert results.chosen_metrics(found, ["l*", "accuracy"]) == ["loss", "accuracy"]


def test_chance_of_the_records_becomes_a_column(tmp_path):
    found = records(tmp_path, notes={"chance": {"accuracy": 0.166}})
    grid = resultgrid.results_table(found, {"show": ["accuracy"], "rows": ["kind"]})
    assert grid.header == ["kind", "n", "accuracy", "accuracy\nchance"]
    assert [row[-1] for row in grid.rows] == ["0.166", "0.166"]


def test_many_runs_get_the_column_of_their_interquartile_mean(tmp_path):
    grid = resultgrid.results_table(records(tmp_path, seeds=range(10)), {"show": ["accuracy"]})
    assert grid.header == ["kind", "n", "accuracy", "accuracy\nIQM"]
    assert all("[" in row[-1] for row in grid.rows)


def test_a_sweeps_table_decides_rows_columns_and_title(tmp_path):
    table = {"title": "T", "rows": ["task", "kind"], "repeats": "seed", "show": ["accuracy"]}
    grid = resultgrid.results_table(records(tmp_path), table)
    assert (grid.title, grid.header, grid.keys) == ("T", ["task", "kind", "n", "accuracy"], 3)
    assert [row[:3] for row in grid.rows] == [["x", "a", "4"], ["x", "b", "4"]]


def test_more_metrics_than_groups_turn_the_table(tmp_path):
    grid = resultgrid.results_table(records(tmp_path, kinds=("a",), seeds=(0, 1)))
    assert grid.header == ["metric", "value\nn=2"]
    assert [row[0] for row in grid.rows] == ["accuracy", "loss"]


def test_failed_runs_are_counted_and_change_no_number(tmp_path):
    found = records(tmp_path, kinds=("a", "b"))
    config = {"task": "x", "model": {"kind": "a"}}
    made.record(tmp_path, id="f", config=config, seed=7, state="failed", minute=300)
    with_failed = find.gather([tmp_path]).records
    show = {"show": ["accuracy"]}
    before, after = (resultgrid.results_table(r, show) for r in (found, with_failed))
    assert [row[1] for row in after.rows] == ["4 of 5", "4"]
    assert [row[2] for row in after.rows] == [row[2] for row in before.rows]


def test_published_numbers_stand_in_their_column_with_their_source(tmp_path):
    for layer in (1, 2):
        config = {"widths": [784, 50, 50, 50, 50, 10], "layer": layer, "data": {"name": "mnist"}}
        config["loss"] = "cross_entropy"
        made.record(
            tmp_path, id=f"{layer}", experiment="noise_power_law", paper="noise_curvature",
            config=config, minute=layer, summary={"gamma_emp_layerwise": [1.3, 1.3, 1.31]},
        )  # fmt: skip
    grid = resultgrid.results_table(find.gather([tmp_path]).records)
    assert grid.header == ["layer", "n", "gamma_emp_layerwise", "gamma_emp_layerwise\npublished"]
    assert [row[-1] for row in grid.rows] == ["1.39 (a)", "1.3 (a)"]
    assert any(note.startswith("(a) the authors' supplementary figures") for note in grid.notes)


def test_published_rows_of_other_models_stand_below_ours(tmp_path):
    for seed in range(2):
        made.record(
            tmp_path, id=f"{seed}", experiment="slay_lra", paper="slay", seed=seed,
            config={"task": "listops", "attend": "softmax"}, summary={"accuracy": 0.3 + seed / 10},
        )  # fmt: skip
    table = {"rows": ["task", "attend"], "show": ["accuracy"]}
    grid = resultgrid.results_table(find.gather([tmp_path]).records, table)
    assert grid.rows[0] == ["listops", "softmax", "2", "0.35"]
    assert ["listops", "Reformer", "", "0.3727 (a)"] in grid.rows
    assert not any("text" in row for row in grid.rows)
