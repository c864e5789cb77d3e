"""Which runs share a program, and what becomes of a unit of work after an attempt."""

from pathlib import Path

import pytest
from hypothesis import given, strategies

from feedrun.records import store
from feedrun.runner.attempt import Ending
from feedrun.runner.config import RunSpec
from feedrun.sweep import units as batches
from feedrun.sweep.units import Unit


def planned(requests, batch):
    """Units of these requests, each as the list of their indices."""
    tasks = [RunSpec({}, "lab", [], None, str(k)) for k in range(len(requests))]
    folders = [request.folder for request in requests]
    units = batches.units(tasks, requests, folders, batch=batch)
    return [[int(task.id) for task in unit.specs] for unit in units]


def test_runs_that_differ_in_seed_and_numbers_share_a_unit(request_of):
    requests = [request_of(seed=s, lr=lr, steps=n) for s in (0, 1) for lr in (1, 2) for n in (5, 6)]
    assert planned(requests, 3) == [[0, 2, 4], [6], [1, 3, 5], [7]]
    assert planned(requests, 8) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert planned(requests, 1) == [[k] for k in range(8)]


def test_runs_with_checkpoints_of_other_steps_go_into_other_units(request_of):
    requests = [request_of(seed=seed) for seed in range(4)]
    for seed, step in ((0, 10), (1, 20), (2, 10)):
        folder = requests[seed].folder
        folder.mkdir(parents=True)
        store.write_arrays(folder / "checkpoint.npz", {"step": step, "rows": 1, "scope": ""})
    assert planned(requests, 4) == [[0, 2], [1], [3]]
    forced = [request_of(seed=seed, force=True) for seed in range(4)]
    assert planned(forced, 4) == [[0, 1, 2, 3]]


def test_experiment_without_a_batched_form_runs_one_by_one(request_of):
    requests = [request_of(seed=seed) for seed in range(3)]
    requests = [r._replace(experiment=r.experiment._replace(many=None)) for r in requests]
    assert planned(requests, 3) == [[0], [1], [2]]


def unit(*ids, attempt=1):
    tasks = tuple(RunSpec({}, "lab", [], None, name) for name in ids)
    return Unit(tasks, tuple(Path(name) for name in ids), attempt)


@pytest.mark.parametrize(
    ("before", "ending", "again"),
    [
        (unit("a"), Ending("done"), []),
        (unit("a"), Ending("failed", "x"), [unit("a", attempt=2)]),
        (unit("a", attempt=2), Ending("failed", "x"), [unit("a", attempt=3)]),
        (unit("a", attempt=3), Ending("failed", "x"), []),
        (unit("a"), Ending("failed", "x", lasting=True), []),
        (unit("a", "b"), Ending("failed", "x"), [unit("a"), unit("b")]),
        (unit("a", "b"), Ending("done"), []),
    ],
)
def test_what_is_tried_again_with_two_retries(before, ending, again):
    assert batches.after(before, ending, retries=2) == again


def test_run_that_another_process_holds_is_tried_later_and_costs_no_attempt():
    (later,) = batches.after(unit("a"), Ending("busy"), retries=0)
    assert later.attempt == 1 and later.not_before > 0


trees = strategies.recursive(
    strategies.integers(),
    lambda below: strategies.dictionaries(strategies.sampled_from("abc"), below, max_size=3),
    max_leaves=8,
)


@given(strategies.dictionaries(strategies.sampled_from("abc"), trees, max_size=3), trees)
def test_without_drops_exactly_the_named_keys(tree, new):
    assert batches.without(tree, ()) == tree
    assert batches.without(tree | {"a": new}, ("a",)) == batches.without(tree, ("a",))
    nested = {"top": tree | {"a": new}, "rest": 1}
    assert batches.without(nested, ("top.a",)) == {"top": batches.without(tree, ("a",)), "rest": 1}
