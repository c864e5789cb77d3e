"""icl_noise: risks of its studies against closed forms, the layer of theory, the whole at smoke."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from feedrun.errors import BadInput
from feedrun.experiment import Result, silent_journal
from feedrun.papers.ssm_icl import theory
from feedrun.papers.ssm_icl.arms import evaluation, training
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import Trained
from feedrun.papers.ssm_icl.families import catalogue
from feedrun.papers.ssm_icl.families.regression import NOISE, REGRESSORS
from feedrun.papers.ssm_icl.noise import figures as noise_figures
from feedrun.papers.ssm_icl.noise import studies, summary, theory_layer
from feedrun.papers.ssm_icl.noise.experiment import EXPERIMENT
from feedrun.papers.ssm_icl.noise.studies import Floors, Study, StudyResult
from tests.configs import config, own, request


def batch_of(family, *, count, length):
    """A batch, drawn under jit."""
    return jax.jit(partial(family.sample, count=count, length=length))(jax.random.key(0))


def study_result(name, risks, *, length=summary.LATE + 1):
    """A study whose arms {name: (R,)} have constant excess; Bayes risks 1."""
    count = 8
    family = catalogue.coloured(rho=0.5)
    zeros = np.zeros((count, length, 1))
    batch: Any = type("Batch", (), {"targets": zeros})()
    floors = Floors(np.ones((count, length)), np.ones((count, length)))
    arm_results, references = [], {"bayes": zeros}
    for arm, excess in risks.items():
        excess = np.asarray(excess, float)[:, None] + np.zeros(length)
        bound: Any = type("Learner", (), {"name": arm})()
        trained = Trained(None, 0.1, {0.1: 1.0}, np.ones((8, 2, len(excess))), np.zeros(3))
        arm_results.append(ArmResult(bound, trained, zeros[None], excess, []))
    study = Study(name, family, family, length, (), studies.coloured)
    return StudyResult(study, EvalSet(family, batch, references), arm_results, floors)


def test_floors_of_coloured_noise_are_those_of_the_dense_gaussian():
    batch = batch_of(catalogue.coloured(rho=0.9), count=4, length=9)
    floors = studies.coloured(batch)
    X, n = np.asarray(batch.regressors, float), 8
    gap = [theory.dense_gap(jnp.asarray(x[:n]), 0.9, noise=NOISE, prior=1 / 5) for x in X]
    np.testing.assert_allclose(floors.proper[:, n], [g.proper for g in gap], rtol=1e-4)
    for i, x in enumerate(X):  # for this next regressor, not averaged over it
        Sigma = NOISE * 0.9 ** np.abs(np.subtract.outer(range(n + 1), range(n + 1)))
        cov = x @ x.T / REGRESSORS + Sigma
        exact = cov[n, n] - cov[n, :n] @ np.linalg.solve(cov[:n, :n], cov[:n, n])
        assert floors.bayes[i, n] == pytest.approx(exact, rel=1e-4)


def test_floors_of_the_control_are_ridge_s_predictive_variance():
    batch = batch_of(catalogue.autoregression(), count=3, length=12)
    floors = studies.lags(batch)
    for i, F in enumerate(np.asarray(batch.regressors, float)):
        precision = F[:-1].T @ F[:-1] + np.eye(2) / 0.2**2
        expected = 1 + F[-1] @ np.linalg.solve(precision, F[-1])
        assert floors.bayes[i, -1] == pytest.approx(expected, rel=1e-5)


def test_floors_of_resting_weights_are_those_of_uncorrelated_noise():
    batch = batch_of(catalogue.coloured(rho=0.0), count=400, length=10)
    white = studies.coloured(batch)
    still = studies.weights(batch._replace(task=jnp.ones(400)))
    np.testing.assert_allclose(white.bayes, still.bayes, rtol=1e-5)
    np.testing.assert_allclose(white.bayes[:, 1:].mean(), white.proper[:, 1:].mean(), rtol=0.1)


def test_sequences_of_a_query_are_the_family_s_and_hide_only_its_target():
    base = catalogue.coloured(rho=0.9)
    asked = theory_layer.queries(base)
    whole, query = (batch_of(f, count=1024, length=41) for f in (base, asked))
    np.testing.assert_allclose(query.targets[:, 0], whole.targets[:, -1], atol=1e-5)
    np.testing.assert_allclose(query.inputs[:, :-1, -1], whole.targets[:, :-1, 0], atol=1e-5)
    np.testing.assert_allclose(theory_layer.whole(query).targets, whole.targets, atol=1e-5)
    assert not query.inputs[:, -1, -1].any()


def test_the_layer_set_by_hand_is_the_best_gradient_step():
    base = catalogue.coloured(rho=0.9)
    family = theory_layer.queries(base)
    bound, n = theory_layer.bound(family), 12
    batch = batch_of(family, count=16, length=n + 1)
    gamma = n / (n + REGRESSORS + 1 + NOISE * REGRESSORS)
    P = jnp.zeros((6, 6)).at[5, 5].set(gamma)
    params = {"params": {"P": P, "Q": jnp.diag(jnp.ones(6).at[5].set(0))}}
    found = training.predictions(bound.arm, family, params, batch.inputs)
    np.testing.assert_allclose(found, family.estimators["lsa"](batch), atol=1e-5)


def test_correlations_of_a_mixed_exam_are_marked_apart():
    rhos = (0.0, 0.9)
    mixed = catalogue.coloured(rho=None)
    family = studies.at_known(mixed, rhos)
    family = family._replace(estimators={"unknown": family.estimators["ridge"]})
    eval_set = evaluation.draw(family, jax.random.key(1), count=64, length=12)
    floors = studies.coloured(eval_set.batch)
    study = Study("mixed", mixed, family, 12, (), studies.coloured)
    answers = eval_set.references["bayes"][None] + 0.5
    arm: Any = ArmResult(None, None, answers, None, [])  # type: ignore[arg-type]
    split = studies.by_rho(StudyResult(study, eval_set, [arm], floors), rhos, n=10)
    own = np.asarray(eval_set.batch.task.rho)
    for g, rho in enumerate(rhos):
        expected = floors.bayes[np.abs(own - rho) < 1e-4, 10].mean()
        assert split.bayes[g] == pytest.approx(expected)
        assert split.arms[0, 0, g] == pytest.approx(expected + 0.25, rel=1e-5)
    assert split.bayes[1] < split.bayes[0] < split.unknown[0] + 1e-9


def test_a_separation_is_a_paired_difference_of_differences():
    coloured = study_result(
        "coloured", {"ssd+conv": [0.1, 0.2, 0.3], "softmax+rope": [0.4, 0.6, 0.8]}
    )
    placebo = study_result(
        "placebo", {"ssd+conv": [0.1, 0.1, 0.1], "softmax+rope": [0.2, 0.2, 0.2]}
    )
    named = {"coloured": coloured, "placebo": placebo}
    found = summary.separations(named)
    np.testing.assert_allclose(found["separation/softmax+rope"], [0.2, 0.3, 0.4])
    gap = summary.gaps(coloured)["coloured/gap/softmax+rope_minus_ssd+conv"]
    np.testing.assert_allclose(gap, [0.3, 0.4, 0.5])
    assert summary.separations({"coloured": coloured}) == {}


def test_only_transformers_are_separated_and_tested():
    arms = {"ssd+conv": [0.1, 0.2, 0.3], "s4d+conv": [0.4, 0.6, 0.9]}
    named = {name: study_result(name, arms) for name in ("coloured", "placebo", "control")}
    assert summary.separations(named) == {}
    assert summary.significance(named) == {}


def test_p_of_the_control_is_a_paired_t_test():
    named = {"control": study_result("control", {"ssd+conv": [1, 2, 3], "softmax+rope": [2, 3, 5]})}
    d = np.array([1.0, 1.0, 2.0])
    t = d.mean() / (d.std(ddof=1) / 3**0.5)
    # Student's t with two degrees of freedom has this distribution function.
    expected = 1 - t / np.sqrt(2 + t**2)
    assert summary.significance(named)["control/p"] == pytest.approx(expected)


def test_rise_is_the_risk_of_a_long_context_less_that_of_a_short_one():
    one = study_result("drifting_0.99", {"ssd+conv": [0.1, 0.2, 0.3]})
    one.arm_results[0].excess[:, summary.LATE] += 0.05
    found = summary.marks(one)
    np.testing.assert_allclose(found["drifting_0.99/ssd+conv/rise"], 0.05)
    np.testing.assert_allclose(found["drifting_0.99/ssd+conv/risk_40"], [1.1, 1.2, 1.3])


def test_rates_at_an_edge_of_their_grid_are_named(monkeypatch):
    monkeypatch.setattr(summary.results, "notes", lambda arms: {"gru": {"rate": 0.1}})
    one = study_result("placebo", {})
    named = partial(summary.notes, [one], metrics=["placebo/gru/risk_40", "control/p"])
    assert named([0.1, 0.2, 0.3])["rate_at_an_edge"] == ["placebo/gru"]
    assert named([0.05, 0.1, 0.3])["rate_at_an_edge"] == []
    assert named([0.1])["chance"] == {"placebo/gru/risk_40": 1.25}


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "paper"])
def test_every_scale_is_a_complete_config(scale):
    cfg = config("icl_noise", scale)
    assert len(cfg.training.rates) == cfg.training.seeds  # trials and seeds share a program


def test_an_arm_that_there_is_not_is_one_clear_error():
    with pytest.raises(ValidationError, match="no mixer 'mamba9'"):
        config("icl_noise", arms={"coloured": ["mamba9"]})


def test_a_budget_that_is_not_whole_is_one_line_that_says_it_once():
    with pytest.raises(BadInput) as error:
        request("icl_noise", training={"steps": 1000, "trial_steps": 240})
    assert str(error.value) == (
        "training: steps and trial_steps must be multiples of log_every=60, got 1000 and 240"
    )


@pytest.mark.slow
def test_every_claim_is_measured_and_every_figure_drawn():
    cfg = config("icl_noise", "smoke", arms=own("icl_noise")["arms"])
    result = EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    for name, value in result.summary.items():
        assert np.isfinite(value).all(), name
    assert {claim.metric for claim in EXPERIMENT.claims} <= set(result.summary)
    figures = EXPERIMENT.figures(result)
    assert len(figures) == 6
    for figure in figures.values():
        figure.canvas.draw()


def test_figures_of_what_was_left_out_are_left_out():
    one = study_result("control", {"gru": [0.1, 0.2, 0.3]}, length=12)
    lines = {name: np.ones((8, 12, 1)) for name in ("ar4", "zero")}
    eval_set = one.eval_set._replace(references={**one.eval_set.references, **lines})
    one = one._replace(eval_set=eval_set)
    arrays = summary.arrays([one], rhos=(0.0,), every=2) | {"length": np.array(12)}
    figures = noise_figures.figures(Result({}, arrays))
    assert set(figures) == {"control", "training"}
    for figure in figures.values():
        figure.canvas.draw()
