"""icl_markov: comparisons against numbers set by hand, lines against the reference table."""

from typing import Any

import jax
import numpy as np
import pytest
from pydantic import ValidationError

from feedrun.experiment import judge, silent_journal
from feedrun.papers.ssm_icl.arms import evaluation, training
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.families import catalogue
from feedrun.papers.ssm_icl.markov import experiment as markov
from feedrun.papers.ssm_icl.markov import figures, measures
from feedrun.papers.ssm_icl.markov.experiment import EXPERIMENT, Markov
from tests.configs import config, own

NOBODY: Any = None  # what the function under test does not look at


def arm_result(excess, valid):
    """An arm of two seeds with these excesses (R, T) and validation curves (rows, R)."""
    curves = np.stack([np.zeros_like(valid), valid], axis=1)
    trained = training.Trained(NOBODY, 1e-2, {}, curves, np.zeros(2))
    return ArmResult(NOBODY, trained, np.zeros((2, 0)), excess, [])


def test_comparisons_are_paired_differences_over_the_positions_of_training():
    base = np.array([[0.1, 0.2, 9.0, 9.0], [0.3, 0.4, 9.0, 9.0]])
    own = arm_result(base, np.full((5, 2), 0.1))
    linear = arm_result(
        base + np.array([[0.01], [0.02]]), np.full((5, 2), 0.1) * np.array([[2, 3]])
    )
    found = measures.comparisons({"ssd+conv": own, "linear+conv+rope": linear}, length=2)
    np.testing.assert_allclose(found["linear_minus_ssd_with_conv"], [0.01, 0.02])
    np.testing.assert_allclose(found["faster_with_conv"], np.log([2, 3]))
    assert not any("without" in name for name in found)


def test_extrapolation_is_the_last_eighth_over_that_of_training():
    excess = np.tile(np.repeat([1.0, 2.0, 5.0, 3.0], 8), (2, 1))
    np.testing.assert_allclose(measures.beyond(excess, length=16), 3 / 2)
    np.testing.assert_allclose(measures.beyond(excess, length=32), 1)


def test_one_layer_stands_between_bayes_and_the_unigram_line():
    lines = {"bayes": 0.01, "unigram": 0.17}
    truth = {"ssd": np.array([0.01, 0.17, 0.09])}
    found = measures.one_layer({}, truth, lines)
    np.testing.assert_allclose(found["toward_unigram_without_conv"], [0, 1, 0.5])


def test_lines_to_the_truth_are_those_of_the_reference_table():
    eval_set = evaluation.draw(
        catalogue.markov(symbols=3, alpha=1.0), jax.random.key(0), count=512, length=50
    )
    for name, expected in {"bayes": 0.0478, "unigram": 0.179}.items():
        each = evaluation.excess(eval_set, eval_set.references[name], "genie")[:, 49]
        assert abs(each.mean() - expected) < 4 * each.std(ddof=1) / 512**0.5
        np.testing.assert_allclose(markov.truth_lines(eval_set)[name][49], each.mean())


def test_windows_of_a_curve_keep_a_power_law():
    n = np.arange(1024)
    context, line = figures.smooth(1.0 / np.maximum(n, 1)[None])
    np.testing.assert_allclose(line[0], 1 / context, rtol=0.02)
    assert context[0] == 1 and context[-1] < 1024


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"chains": {"switching": ["gru"]}}, "chains must have mc3"),
        ({"chains": {"mc3": ["gru"], "mc9": ["gru"]}}, "no chain 'mc9': did you mean mc"),
        ({"chains": {"mc3": ["grue"]}}, "no mixer 'grue'"),
        ({"test_length": 100}, "test_length=100 is below length=256"),
        ({"at": [2000]}, "must be below test_length=1024"),
        ({"deciding": 256}, "deciding=256 must be below length=256"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(changes, message):
    with pytest.raises(ValidationError, match=message):
        Markov(**own("icl_markov") | changes)


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "paper"])
def test_every_scale_is_a_config(scale):
    assert config("icl_markov", scale).chains["mc3"]


@pytest.mark.slow
def test_a_smoke_run_measures_every_claim_it_has_the_arms_for_and_draws():
    cfg = own("icl_markov", "smoke")
    every = ["ssd+conv", "ssd", "linear+conv+rope", "linear+rope", "softmax+conv+rope"]
    cfg["chains"] = {"mc3": every, "switching": ["ssd+conv", "linear+conv+rope"]}
    cfg["one_layer"] = ["ssd+conv", "ssd"]
    result = EXPERIMENT.run(Markov(**cfg), jax.random.key(0), silent_journal())
    assert all(np.isfinite(value).all() for value in result.summary.values())
    verdicts = {claim.name: judge(claim, result.summary).verdict for claim in EXPERIMENT.claims}
    assert "not measured" not in verdicts.values()
    assert verdicts["no_arm_beats_the_genie"] == "holds"
    assert set(result.notes["chance"]) <= set(result.summary)
    for figure in EXPERIMENT.figures(result).values():
        figure.canvas.draw()
