"""Training and marking of arms: keys that never meet, equal data, references, resume, bad input."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pydantic import ValidationError

from feedrun.experiment import silent_journal
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation, training
from feedrun.papers.ssm_icl.families import catalogue

LENGTH = 12
NETWORK = training.Network(width=8, inner=16, layers=1, heads=2, states=4, chunk=4)
TRAINING = training.Training(
    steps=60, trial_steps=20, log_every=10, batch=16, rates=[1e-4, 1e-2], seeds=2, valid=32
)


@pytest.fixture(scope="module")
def family():
    return catalogue.autoregression()


@pytest.fixture(scope="module")
def keys():
    return families.keys(jax.random.key(0))


@pytest.fixture(scope="module")
def eval_set(family, keys):
    return evaluation.draw(family, keys.test, count=50, length=LENGTH, slab=32)


def fit(family, keys, journal=None, **changes):
    """A tiny arm, trained."""
    cfg = TRAINING.model_copy(update=changes)
    valid = evaluation.draw(
        family, jax.random.clone(keys.tune), count=cfg.valid, length=LENGTH, only=()
    )
    bound = training.bound("ssd+conv", family, NETWORK, length=LENGTH)
    journal = journal or silent_journal()
    return bound, training.fitted(bound, keys, cfg, valid, journal, length=LENGTH, over="bayes")


@pytest.fixture(scope="module")
def trained(family, keys):
    return fit(family, keys)


def test_references_in_slabs_are_those_of_the_whole_batch(family, eval_set):
    np.testing.assert_allclose(
        eval_set.references["bayes"], family.bayes(eval_set.batch), rtol=1e-4, atol=1e-5
    )
    assert set(eval_set.references) == {"genie", "bayes", *family.estimators}


def test_dropped_sequences_are_in_no_exam(family, keys):
    few = family._replace(
        sample=lambda key, **sizes: (b := family.sample(key, **sizes))._replace(
            kept=b.kept.at[:7].set(0)
        )
    )
    assert len(evaluation.draw(few, jax.random.key(1), count=20, length=LENGTH).batch.targets) == 13


def test_excess_and_risk_are_the_familys(family, eval_set):
    guess, bayes = (jnp.asarray(eval_set.references[name]) for name in ("ols", "bayes"))
    expected = families.excess(family, guess, bayes)
    np.testing.assert_allclose(
        evaluation.excess(eval_set, guess, "bayes"), expected, rtol=1e-4, atol=1e-6
    )
    loss = families.loss(family, guess, eval_set.batch)
    np.testing.assert_allclose(evaluation.risk(eval_set, guess), loss, rtol=1e-4, atol=1e-6)


def test_risk_and_excess_of_symbols():
    family = catalogue.markov(symbols=3, alpha=1.0)
    eval_set = evaluation.draw(family, jax.random.key(2), count=10, length=LENGTH)
    guess, bayes = (jnp.asarray(eval_set.references[name]) for name in ("unigram", "bayes"))
    np.testing.assert_allclose(
        evaluation.risk(eval_set, guess[None])[0],
        families.loss(family, guess, eval_set.batch),
        rtol=1e-5,
    )
    expected = families.excess(family, guess, bayes)
    np.testing.assert_allclose(
        evaluation.excess(eval_set, guess, "bayes"), expected, rtol=1e-4, atol=1e-6
    )


def test_a_predictor_that_sees_the_target_is_a_leak_and_one_that_does_not_is_none(eval_set):
    y = np.asarray(eval_set.batch.targets)
    zero = np.zeros((1, *y.shape))
    assert evaluation.leaks(eval_set, y[None])[0].average < -3
    assert evaluation.leaks(eval_set, zero)[0].average > -3


def test_training_learns_at_the_better_rate_and_remembers_its_curves(trained):
    _, found = trained
    assert found.rate == 1e-2 and found.trials[1e-2] < found.trials[1e-4]
    assert found.curves.shape == (6, 2, 2) and (found.curves[-1] < found.curves[0]).all()
    assert found.slope.shape == (2,) and (found.slope < 0).all()


def test_answers_in_slabs_are_those_of_each_network(family, eval_set, trained):
    bound, found = trained
    given = training.answers(bound, found.params, eval_set, slab=32)
    own = jax.tree.map(lambda leaf: leaf[1], found.params)
    whole = training.predictions(bound.arm, family, own, eval_set.batch.inputs)
    np.testing.assert_allclose(given[1], whole, atol=1e-5)


def test_training_is_a_function_of_its_keys(family, keys, trained):
    again = fit(family, keys)[1]
    jax.tree.map(np.testing.assert_array_equal, trained[1].params, again.params)


def test_arms_have_equal_parameters(family):
    counts = [
        training.cost(training.bound(name, family, NETWORK, length=LENGTH))["parameters"]
        for name in ("ssd+conv", "softmax+rope", "gru")
    ]
    assert max(counts) / min(counts) < 1.1


def test_slope_of_a_power_law_is_its_exponent():
    steps = np.arange(1, 41)
    excess = np.stack([steps**-0.5, 3.0 * steps**-1.0], axis=1)
    np.testing.assert_allclose(training.slope(excess), [-0.5, -1.0])
    assert np.isnan(training.slope(excess[:3])).all()


def test_the_schedule_rises_then_falls_to_its_last_share():
    shape = partial(training.warm_cosine, warmup=training.WARM, last=training.LAST)
    at = [float(shape(part - 1, 1.0)) for part in (0.0, 0.025, 0.05, 0.525, 1.0)]
    np.testing.assert_allclose(at, [0, 0.5, 1, 0.51, 0.02], atol=1e-6)


@pytest.mark.slow
def test_the_horizon_reaches_the_optimizer(family):
    arm = training.bound("ssd+conv", family, NETWORK, length=LENGTH).arm
    state = training.adamw(50).init(arm.init(jax.random.key(0)))
    assert float(optax.tree_utils.tree_get(state, "horizon")) == 50


def test_steps_that_are_no_multiple_of_the_rows_are_one_clear_error():
    with pytest.raises(ValidationError, match="multiples of log_every=10"):
        training.Training.model_validate(TRAINING.model_dump() | {"steps": 61})
