"""icl_shift: shifted samplers have the moments they say, test oracles are Bayes on their data."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from pydantic import ValidationError

from feedrun.experiment import judge, silent_journal
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.families import catalogue, scores
from feedrun.papers.ssm_icl.shift import experiment as shift
from feedrun.papers.ssm_icl.shift import shifted_families
from feedrun.papers.ssm_icl.shift.experiment import EXPERIMENT
from tests.configs import config

NOBODY: Any = None  # what the function under test does not look at
COUNT, LENGTH = 512, 16


@pytest.fixture(scope="module")
def families():
    trained_key, shift_key = jax.random.split(jax.random.key(0))
    lg4 = catalogue.lg4(trained_key, bank=256)
    linear = shifted_families.linear_shifts(lg4, shift_key, shifted_families.SHIFTS, bank=256)
    return linear | {
        "rougher": shifted_families.coloured_shifts(shifted_families.SHIFTS)["rougher"]
    }


def sampled(family, seed, **sizes):
    return jax.jit(partial(family.sample, **sizes))(jax.random.key(seed))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("slow", marks=pytest.mark.slow),
        pytest.param("noisy", marks=pytest.mark.slow),
        pytest.param("switch", marks=pytest.mark.slow),
        "rougher",
    ],
)
def test_the_test_oracle_is_bayes_and_the_training_oracle_is_not(families, name):
    family = families[name]

    def answered(key):
        batch = family.sample(key, count=COUNT, length=LENGTH)
        return batch.targets, family.bayes(batch), family.estimators["prior"](batch)

    y, test, prior = map(np.asarray, jax.jit(answered)(jax.random.key(1)))
    assert abs(scores.orthogonality(y, test, prior)) < 4
    gain = ((y - prior) ** 2 - (y - test) ** 2).mean(axis=(1, 2))
    assert scores.z_score(gain) > 4


def test_heavy_noise_has_the_variance_of_training_and_students_tails(families):
    batch = sampled(families["heavy"], 2, count=4096, length=8)
    noise = np.asarray(batch.targets - batch.hidden["signal"]).ravel()
    squares = noise**2 / 0.25
    far = 3.0
    share = 2 * scipy.stats.t.sf(far * 2**0.5, 4)  # a t(4) variable has variance 2
    assert abs(np.mean(squares > far**2) - share) < 4 * (share / noise.size) ** 0.5
    assert abs(squares.mean() - 1) < 4 * squares.std() / noise.size**0.5
    np.testing.assert_array_equal(batch.inputs[:, 1:, 0], batch.targets[:, :-1, 0])


@pytest.mark.slow  # compiles four banks of filters
def test_after_the_switch_the_oracle_has_forgotten_the_first_system(families):
    family = families["switch"]
    batch = sampled(family, 3, count=4, length=8)
    loud = batch._replace(targets=batch.targets.at[:, :4].multiply(3.0))
    for predict in (jax.jit(family.bayes), jax.jit(family.genie)):
        before, after = predict(batch), predict(loud)
        np.testing.assert_array_equal(before[:, 4:], after[:, 4:])
        assert not np.allclose(before[:, 1:4], after[:, 1:4])
        np.testing.assert_array_equal(before[:, 4], 0)
    prior = jax.jit(families["unshifted"].bayes)(batch)
    np.testing.assert_allclose(prior[:, :4], family.bayes(batch)[:, :4], rtol=1e-5, atol=1e-6)


def test_the_flag_of_the_first_token_stands_once(families):
    batch = sampled(families["switch"], 4, count=3, length=7)
    assert batch.targets.shape == (3, 7, 1)
    np.testing.assert_array_equal(batch.inputs[:, :, 1].sum(axis=1), 1)


def test_believing_in_the_training_correlation_is_its_bayes_predictor_there():
    trained = catalogue.coloured(rho=0.9)
    assert trained.bayes is not None
    batch = sampled(trained, 5, count=3, length=9)
    lying = batch._replace(task=batch.task._replace(rho=jnp.full(3, 0.99)))
    believing = shifted_families.coloured_shifts(shifted_families.SHIFTS)["rougher"].estimators[
        "prior"
    ]
    np.testing.assert_allclose(jax.jit(believing)(lying), jax.jit(trained.bayes)(batch), rtol=1e-6)


def test_the_projection_is_0_at_the_training_oracle_and_1_at_the_test_oracle():
    rng = np.random.default_rng(0)
    prior, test = rng.normal(size=(2, 5, 4))
    apart = ((test - prior) ** 2).mean(axis=0)
    for expected in (0.0, 0.3, 1.0):
        f = prior + expected * (test - prior)
        near = ArmResult(NOBODY, NOBODY, np.zeros(0), ((f - test) ** 2).mean(axis=0)[None], [])
        one = shift.ShiftResult(near, ((f - prior) ** 2).mean(axis=0)[None], np.zeros(1))
        np.testing.assert_allclose(shift.toward_test(one, apart), [expected], atol=1e-12)


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "paper"])
def test_every_scale_is_a_config(scale):
    assert config("icl_shift", scale).linear_arms


def test_a_context_longer_than_the_sequence_is_one_clear_error():
    with pytest.raises(ValidationError, match="must be below length=64"):
        config("icl_shift", at=[64])


@pytest.mark.slow
def test_a_smoke_run_measures_every_claim_and_draws():
    cfg = config("icl_shift", "smoke", shifts=list(shifted_families.SHIFTS))
    result = EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    assert all(np.isfinite(value).all() for value in result.summary.values())
    verdicts = {claim.name: judge(claim, result.summary).verdict for claim in EXPERIMENT.claims}
    assert "not measured" not in verdicts.values()
    assert verdicts["no_arm_beats_the_genie"] == "holds"
    assert set(result.notes["chance"]) <= set(result.summary)
    shifts = {"slow", "noisy", "switch", "rougher"}
    assert {f"{name}_keeps_the_prior" for name in shifts} < set(verdicts)
    for figure in EXPERIMENT.figures(result).values():
        figure.canvas.draw()
