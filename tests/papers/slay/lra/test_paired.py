"""Differences over a sweep's tasks against numbers written out by hand."""

import numpy as np
import pytest

from feedrun.experiment import estimate
from feedrun.papers.slay.lra import figures, paired
from feedrun.papers.slay.lra.paired import AVERAGE, differences


def run(accuracy, majority=0.1):
    return [{"accuracy": np.array(accuracy), "majority": majority}]


@pytest.fixture
def table():
    return {
        ("listops", "softmax"): run([0.3, 0.4, 0.5]),
        ("listops", "slay"): run([0.2, 0.4, 0.6]),
        ("text", "softmax"): run([0.7, 0.8, 0.9]),
        ("text", "slay"): run([0.6, 0.6, 0.6]),
        ("image", "softmax"): run([0.05, 0.1, 0.15]),  # at the majority class: not learned
        ("image", "slay"): run([0.9, 0.9, 0.9]),
        ("listops", "window_square"): run([0.3, 0.3, 0.3]),
    }


def test_differences_are_paired_by_seed_within_a_task(table):
    own = differences(table, ours="window_square")["slay", "softmax"]
    np.testing.assert_allclose(own["listops"], [-0.1, 0.0, 0.1], atol=1e-12)
    np.testing.assert_allclose(own["text"], [-0.1, -0.2, -0.3])
    np.testing.assert_allclose(own["image"], [0.85, 0.8, 0.75])


def test_the_average_leaves_out_tasks_that_softmax_did_not_learn(table):
    own = differences(table, ours="window_square")["slay", "softmax"]
    np.testing.assert_allclose(own[AVERAGE], [-0.1, -0.1, -0.1], atol=1e-12)


def test_pairs_that_no_task_has_are_left_out_and_one_task_has_no_average(table):
    found = differences(table, ours="window_square")
    assert set(found) == {
        ("slay", "softmax"),
        ("window_square", "slay"),
        ("window_square", "softmax"),
    }
    assert set(found["window_square", "slay"]) == {"listops"}


def test_ours_may_be_a_mechanism_that_has_a_pair_already(table):
    found = differences(table, ours="slay")
    assert set(found) == {("slay", "softmax")}


def test_the_figure_says_the_average_in_numbers(table):
    fig = paired.figure(table, figures.TASKS, ours="window_square")
    fig.canvas.draw()
    titles = [ax.get_title() for ax in fig.axes if ax.axison]
    assert titles == ["ListOps", "Text", "Image", "average without Image"]
    right = [axis for ax in fig.axes for axis in ax.child_axes]
    value, low, high, _ = estimate([-0.1, -0.1, -0.1])
    assert [t.get_text() for t in right[0].get_yticklabels()] == [
        f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
    ]
