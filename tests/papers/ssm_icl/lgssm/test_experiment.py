"""icl_lgssm: its systems and scores against closed forms; end to end with every part (slow)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from feedrun.experiment import Result, judge, silent_journal
from feedrun.papers.ssm_icl import theory
from feedrun.papers.ssm_icl.arms import training
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.families import catalogue, linear_gaussian
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.lgssm import measures, parts, sweep_figures
from feedrun.papers.ssm_icl.lgssm.config import PARTS
from feedrun.papers.ssm_icl.lgssm.experiment import EXPERIMENT
from tests.configs import config

FAR = {"speed_with_convolution", "speed_with_convolution_ar2", "speed_without_convolution_ar1"}
"""Claims about how soon a level is reached, which a dozen steps do not reach."""


def arm_result(excess, curve, name="ssd+conv"):
    """An arm that was never trained: its excess (R, T) and validation curve (rows, R)."""
    curves = np.stack([curve, curve], axis=1)
    bound = training.BoundArm(name, None, None, None, None)  # type: ignore[arg-type]
    trained = training.Trained(None, 1e-2, {}, curves, np.zeros(curve.shape[1]))
    return ArmResult(bound, trained, np.zeros(0), excess, [])


def test_the_rotation_has_the_variances_computed_beforehand():
    batch = linear_gaussian.sampler(lambda key, n: linear_gaussian.rotation())(
        jax.random.key(0), count=1, length=16
    )
    S = jax.jit(oracles.kalman_rows)(batch).var[:, 0, 0]
    expected = [1.25, 0.7085, 0.621084, 0.526738, 0.526179]
    np.testing.assert_allclose(S[jnp.array([0, 1, 3, 7, 15])], expected, atol=5e-7)


def test_bayes_of_one_known_system_is_its_filter():
    family = catalogue.of_tasks(linear_gaussian.scalar(a=0.9, r=1.0))
    batch = family.sample(jax.random.key(1), count=8, length=12)
    assert family.bayes is not None
    known = family.bayes
    bayes, genie = jax.jit(lambda b: (known(b), family.genie(b)))(batch)
    np.testing.assert_allclose(bayes, genie, atol=1e-10)


def autocovariance(tasks, lags=80):
    return np.asarray(theory.autocovariances(tasks, lags=lags), float)[:, 0]


def test_the_filter_s_own_poles_lack_nothing_and_a_single_real_one_what_dense_algebra_says():
    gamma = autocovariance(linear_gaussian.rotation())
    pole = 0.573843 + 0.315446j  # computed beforehand
    assert abs(theory.pole_excess(gamma, np.array([pole]))) < 1e-6
    n = len(gamma) - 1
    Gamma = gamma[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]
    best, powers = np.linalg.solve(Gamma, gamma[1:]), 0.5 ** np.arange(n)
    scales = np.linspace(-2, 2, 4001)
    off = scales[:, None] * powers[None] - best[None]
    lowest = np.einsum("si,ij,sj->s", off, Gamma, off).min()
    assert theory.pole_excess(gamma, np.array([0.5])) == pytest.approx(lowest, rel=1e-5)


def test_two_real_poles_suffice_for_a_state_that_does_not_turn_and_not_for_one_that_does():
    still = autocovariance(linear_gaussian.scalar(a=0.9, r=1.0))
    assert theory.best_real_pair(still, points=40) < 1e-5
    turning = autocovariance(linear_gaussian.rotation())
    coarse, fine = (theory.best_real_pair(turning, points=k) for k in (20, 40))
    assert 0.005 < fine <= coarse < 1.1 * fine


def test_steps_to_a_level_of_a_power_law_are_its_inverse():
    curves = np.stack([3.0 / (10 * np.arange(1, 9)), np.full(8, 0.2)], axis=1)
    steps = measures.steps_to(curves, 0.05, every=10)
    np.testing.assert_allclose(steps, [60, np.inf])
    np.testing.assert_allclose(measures.steps_to(curves, 0.053, every=10)[0], 3 / 0.053)
    np.testing.assert_allclose(measures.steps_to(curves, 0.4, every=10), [10, 10])


def test_speeds_leave_out_who_did_not_get_there():
    fast = 3.0 / (10 * np.arange(1, 9))[:, None] * np.array([[1.0, 1.0]])
    slow = fast * np.array([[1.0, 100.0]])
    race = {
        "ssd+conv": arm_result(np.ones((2, 3)), fast),
        "softmax+conv+rope": arm_result(np.ones((2, 3)), 1.5 * fast),
        "ssd": arm_result(np.ones((2, 3)), slow),
    }
    found = measures.speeds(race, {"half": 0.1}, every=10)
    np.testing.assert_allclose(found["speed/conv_half"], [2 / 3, 2 / 3])
    np.testing.assert_allclose(found["ssd+conv/steps_to_half"], [30, 30])
    assert "ssd/steps_to_half" not in found


def test_differences_are_paired_over_seeds_and_averaged_over_positions():
    curve, excess = np.ones((4, 2)), np.array([[1.0, 3.0], [2.0, 6.0]])
    both = {"ssd": arm_result(excess, curve), "ssd+conv": arm_result(excess / 2, curve)}
    assert measures.differences(both) == {"gap/ssd_minus_ssd+conv": [1.0, 2.0]}


def test_gap_growth_and_price_error_of_known_curves():
    assert measures.gap(0.7, 0.5, 0.9) == pytest.approx(0.5)
    excess = np.concatenate([np.full((1, 16), 2.0), np.full((1, 16), 3.0)], axis=1)
    assert measures.growth(excess, 16) == [1.5]
    bayes = np.array([1.0, 2.0, 4.0])
    trained = bayes[None] * np.array([[1.1, 0.7, 1.2]])
    np.testing.assert_allclose(measures.price_error(trained, bayes, [0, 1, 2]), [0.3])


def test_bad_settings_are_one_clear_line():
    with pytest.raises(ValidationError, match="did you mean lg4"):
        config("icl_lgssm", family="lg44")
    with pytest.raises(ValidationError, match="states lists 16"):
        config("icl_lgssm", states=[1, 16])
    with pytest.raises(ValidationError, match="did you mean poles"):
        config("icl_lgssm", parts=["pole"])


@pytest.mark.parametrize("scale", ["smoke", "gpu", "paper"])
def test_scales_are_valid_and_a_word_is_an_arm(scale):
    assert config("icl_lgssm", scale).length >= 16
    assert config("icl_lgssm", scale, arms="gru").arms == ["gru"]


def test_a_sweep_draws_every_arm_in_the_panel_of_its_family():
    runs = [
        (
            config("icl_lgssm", arms=name, family=family),
            Result({f"{name}/excess": [0.2, 0.3], "bayes_excess": 0.1, "ar4_excess": 0.2}, {}),
        )
        for name in ("gru", "ssd+conv")
        for family in ("lg4", "lg1")
    ]
    (figure,) = sweep_figures.sweep_figures(runs).values()
    assert [axes.get_title() for axes in figure.axes] == ["LG4", "LG1"]
    assert sweep_figures.sweep_figures(runs[:2]) == {}


@pytest.mark.slow
def test_smoke_with_every_part_measures_every_claim_and_draws():
    arm_results = config("icl_lgssm").arms
    cfg = config("icl_lgssm", "smoke", arms=arm_results, parts=list(PARTS))
    done = EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    for name, value in done.summary.items():
        assert np.isfinite(value).all(), name
    verdicts = {claim.name: judge(claim, done.summary).verdict for claim in EXPERIMENT.claims}
    missing = {name for name, verdict in verdicts.items() if verdict == "not measured"}
    assert missing <= FAR | {"finite_falls"}  # two rows have no slope
    assert set(parts.BARE) <= set(done.notes["poles"])
    figures = EXPERIMENT.figures(done)
    assert len(figures) == 6
    for figure in figures.values():
        figure.canvas.draw()
