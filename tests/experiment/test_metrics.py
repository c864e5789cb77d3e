"""Metrics by name."""

import numpy as np

from feedrun.experiment import metrics


def test_differences_are_paired_over_repeats_and_averaged_over_the_rest():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 50))
    found = metrics.paired({"a": a, "b": b}, [("a", "b"), ("a", "c")], "gap/{}_minus_{}")
    assert found == {"gap/a_minus_b": (a - b).mean(axis=1).tolist()}


def test_an_alias_pairs_another_name_but_nothing_with_itself():
    values, pairs = (
        {"slay": [1.0, 2.0], "softmax": [0.0, 0.5]},
        [("ours", "slay"), ("ours", "softmax")],
    )
    found = metrics.paired(values, pairs, alias={"ours": "slay"})
    assert found == {"ours_minus_softmax": [1.0, 1.5]}


def test_names_are_picked_by_their_pattern():
    assert metrics.picked({"loss_a": 1, "b": 2}, "loss_{}", ["a", "b"]) == {"a": 1}


def test_only_a_single_arm_is_also_without_its_prefix():
    found = {"ssd+conv/risk": 1.0, "leak": 2.0}
    assert metrics.alone(found, ["ssd+conv"]) == {"risk": 1.0}
    assert metrics.alone(found, ["ssd+conv", "gru"]) == {}


def test_edges_of_a_grid_are_its_least_and_greatest_rate():
    noted = {"a": {"rate": 1e-3}, "b": {"rate": 3e-3}, "c": {"rate": 1e-2}}
    assert metrics.arms_at_an_edge(noted, [1e-3, 3e-3, 1e-2], part="mc3") == ["mc3/a", "mc3/c"]
    assert not metrics.at_an_edge(1e-3, [1e-3])
