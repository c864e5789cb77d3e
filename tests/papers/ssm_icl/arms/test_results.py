"""What is reported of arms: numbers by seed, the leak detector, arrays that the figures take."""

import jax
import numpy as np
import pytest

from feedrun.experiment import claims_beside, judge, silent_journal
from feedrun.papers.ssm_icl import families, shift, style
from feedrun.papers.ssm_icl.arms import evaluation, figures, results, training
from feedrun.papers.ssm_icl.families import catalogue

LENGTH, STEPS, EVERY = 10, 40, 10
LEAKS = [
    claim
    for claim in claims_beside(shift.__file__)
    if claim.metric in ("leak_z", "leak_position_z")
]
"""The last claims of every experiment with trained arms."""
NETWORK = training.Network(width=8, inner=16, layers=1, heads=2, states=4, chunk=5)
TRAINING = training.Training(
    steps=STEPS, trial_steps=20, log_every=EVERY, batch=8, rates=[1e-2] * 3, seeds=3, valid=16
)


@pytest.fixture(scope="module")
def eval_set():
    family = catalogue.autoregression()
    return evaluation.draw(family, jax.random.key(1), count=40, length=LENGTH, only=("ar4", "zero"))


@pytest.fixture(scope="module")
def arm_results(eval_set):
    """A trained GRU, and its results under another arm's name."""
    keys = families.keys(jax.random.key(0))
    valid = evaluation.draw(
        eval_set.family, keys.tune, count=TRAINING.valid, length=LENGTH, only=()
    )
    gru, other = (
        training.bound(name, eval_set.family, NETWORK, length=LENGTH)
        for name in ("gru", "ssd+conv")
    )
    sizes = {"length": LENGTH, "over": "bayes"}
    trained = training.fitted(gru, keys, TRAINING, valid, silent_journal(), **sizes)
    one = results.evaluate(gru, trained, eval_set, over="bayes")
    return [one, one._replace(bound=other)]


def test_excess_is_the_mean_over_sequences_of_each_seed(eval_set, arm_results):
    one = arm_results[0]
    distance = (one.answers - eval_set.references["bayes"]) ** 2
    np.testing.assert_allclose(one.excess, distance[..., 0].mean(axis=1), rtol=1e-5)
    own = results.summary(one, [3])
    np.testing.assert_allclose(own["gru/excess_3"], one.excess[:, 3])
    np.testing.assert_allclose(own["gru/excess"], one.excess.mean(axis=1))
    assert len(own["gru/slope"]) == TRAINING.seeds


def test_leak_claims_hold_for_honest_arms_and_fail_for_one_that_saw_the_targets(
    eval_set, arm_results
):
    honest = results.leak_summary(arm_results)
    assert [judge(claim, honest).verdict for claim in LEAKS] == ["holds"] * 2
    seen = np.broadcast_to(np.asarray(eval_set.batch.targets), arm_results[0].answers.shape)
    cheat = arm_results[0]._replace(leaks=evaluation.leaks(eval_set, seen))
    summary = results.leak_summary([*arm_results, cheat])
    assert [judge(claim, summary).verdict for claim in LEAKS] == ["fails"] * 2


def test_notes_say_what_an_arm_costs_and_how_its_rate_was_found(arm_results):
    notes = results.notes(arm_results)
    assert list(notes) == ["gru", "ssd+conv"]
    assert notes["gru"]["rate"] == 1e-2 and notes["gru"]["parameters"] > 0
    assert notes["gru"]["state"] < notes["ssd+conv"]["state"]


def test_figures_show_every_arm_and_line(eval_set, arm_results):
    arrays = results.arrays(arm_results, eval_set, over="bayes", every=EVERY)
    assert arrays["steps"].tolist() == [10, 20, 30, 40]
    assert {name for name in arrays if name.startswith("line_")} == {"line_ar4", "line_zero"}
    by_step = figures.by_step(arrays, "excess")
    by_context = figures.by_context(arrays, {"ar4": "ridge on 4 lags"}, "excess")
    named = [text.get_text() for text in by_context.legends[0].get_texts()]
    assert named == ["GRU", "selective SSM + conv", "ridge on 4 lags"]
    assert len(by_step.axes[0].lines) == 2


def test_a_line_is_dashed_without_a_short_convolution():
    with_conv, without = (style.look(name) for name in ("ssd+conv", "ssd"))
    assert with_conv["color"] == without["color"] and with_conv["linestyle"] == "-"
    assert without["linestyle"] == "--"
    assert style.title("softmax+conv+rope") == "softmax + conv + RoPE"
