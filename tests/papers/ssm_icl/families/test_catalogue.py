"""Every family: tokens do not leak targets, seeds never meet, Bayes is orthogonal to everything."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.families import catalogue, chains, linear_gaussian, regression
from feedrun.papers.ssm_icl.families import evaluation as ev

KEYS = families.keys(jax.random.key(0))


def library():
    return jax.random.clone(KEYS.library)


FAMILIES = {
    "lg1": lambda: catalogue.lg1(),
    "lg4": lambda: catalogue.lg4(library(), bank=64),
    "lg4_finite": lambda: catalogue.lg4_finite(library(), tasks=5),
    "mop": lambda: catalogue.mop(triangular=True, coloured=False),
    "mop_coloured": lambda: catalogue.mop(triangular=False, coloured=True),
    "coloured": lambda: catalogue.coloured(rho=0.9),
    "coloured_mix": lambda: catalogue.coloured(rho=None, tokens="shift"),
    "coloured_white": lambda: catalogue.coloured(rho=0.9, white=0.1, tokens="interleaved"),
    "drifting": lambda: catalogue.drifting(a=0.95),
    "autoregression": lambda: catalogue.autoregression(),
    "markov": lambda: catalogue.markov(symbols=3, alpha=1.0),
    "markov_2": lambda: catalogue.markov(symbols=2, alpha=0.5, order=2),
    "switching": lambda: catalogue.switching(library()),
}
LONG = ("lg4_finite", "mop", "coloured_mix", "markov_2")
"""Compile longest, and each has a sibling that is drawn and predicted by the same code."""
EVERY = [pytest.param(k, marks=[pytest.mark.slow] * (k in LONG)) for k in FAMILIES]
EXACT = [one for one in EVERY if one.values[0] not in ("lg4", "mop", "mop_coloured")]
COUNT, LENGTH = 1500, 12
WIDE_COUNT = 64  # of LG-MOP, whose filters carry 75 states
WHOLE = ("coloured", "autoregression")  # every estimator of these, else a few: compiling is slow
FEW = ("ar2", "last", "zero", "forget_0.9", "inflated", "bigram", "unigram")


def count(name):
    return WIDE_COUNT if "mop" in name else COUNT


@cache
def programs(name):
    """The family, and its compiled sampling and predictions of count(name) sequences."""
    family = FAMILIES[name]()
    chosen = {k: f for k, f in family.estimators.items() if name in WHOLE or k in FEW}
    named = {"genie": family.genie, "bayes": family.bayes, **chosen}
    named = {k: predict for k, predict in named.items() if predict}
    sample = jax.jit(lambda key: family.sample(key, count=count(name), length=LENGTH))
    return family, sample, jax.jit(lambda batch: {k: f(batch) for k, f in named.items()})


def draw(name, key):
    return programs(name)[1](jax.random.clone(key))


@pytest.mark.parametrize("name", EVERY)
def test_batches_have_the_family_s_sizes_and_every_key_its_own_sequences(name):
    family, one, two = programs(name)[0], draw(name, KEYS.train), draw(name, KEYS.test)
    n = count(name)
    assert one.inputs.shape == (n, family.stride * LENGTH, family.inputs)
    assert one.targets.shape[:2] == (n, LENGTH)
    if family.kind == "number":
        assert one.targets.shape[2] == family.outputs
        rows = np.concatenate([one.targets, two.targets]).reshape(2 * n, -1)
        assert len(np.unique(rows, axis=0)) >= 2 * n - 10  # ARc sets the few that explode to 0
    else:
        assert one.targets.min() >= 0 and one.targets.max() < family.outputs
        assert not np.array_equal(one.targets, two.targets)
    np.testing.assert_array_equal(one.targets, draw(name, KEYS.train).targets)


@pytest.mark.parametrize("name", EVERY)
def test_predictors_do_not_see_the_target_or_what_follows(name):
    """Changing y_t and what follows changes no prediction of y_1 .. y_t."""
    family, _, arm_results = programs(name)
    batch, t = draw(name, KEYS.test), 7
    if family.kind == "number":
        changed = batch.targets.at[:, t:].add(1.0)
    else:
        changed = batch.targets.at[:, t:].set((batch.targets[:, t:] + 1) % family.outputs)
    other = batch._replace(targets=changed)
    if name == "autoregression":  # its regressors are its own past
        other = other._replace(regressors=batch.regressors.at[:, t + 1 :].add(1.0))
    before, after = arm_results(batch), arm_results(other)
    for one in before:
        np.testing.assert_array_equal(before[one][:, : t + 1], after[one][:, : t + 1])
        if one not in ("zero", "genie"):
            assert not np.array_equal(before[one][:, t + 1 :], after[one][:, t + 1 :])


@pytest.mark.parametrize("name", EXACT)
def test_bayes_is_orthogonal_to_every_estimator_and_no_one_beats_the_genie(name):
    family, _, arm_results = programs(name)
    batch = draw(name, KEYS.test)
    found = arm_results(batch)
    losses = {k: families.loss(family, guess, batch) for k, guess in found.items()}
    y = batch.targets
    if family.kind == "symbol":
        y = jax.nn.one_hot(y, family.outputs)
        found = jax.tree.map(jnp.exp, found)
    whole = {"y": y, "predictions": found, "losses": losses, "kept": batch.kept}
    one = ev.evaluation(whole)
    assert max(abs(z) for z in ev.orthogonality_scores(one)) < 4
    floors = ev.floor_scores(one)
    assert min(floor.average for floor in floors) > -4
    assert min(floor.lowest for floor in floors) > -4.5


def test_streams_of_keys_differ_in_every_step():
    streams = [jax.random.clone(key) for key in KEYS]
    folded = [
        jax.random.key_data(jax.random.fold_in(key, step)).tolist()
        for key in streams
        for step in range(50)
    ]
    assert len({tuple(one) for one in folded}) == 4 * 50


def test_one_task_makes_the_mixture_the_genie():
    family = catalogue.lg4_finite(library(), tasks=1)
    batch = jax.jit(lambda key: family.sample(key, count=4, length=20))(KEYS.test)
    assert family.bayes is not None
    np.testing.assert_allclose(
        jax.jit(family.bayes)(batch), jax.jit(family.genie)(batch), atol=1e-10
    )


def test_lg4_has_unit_states_and_variance_five_quarters():
    tasks = linear_gaussian.lg4(jax.random.key(1), 30_000)
    z, y = linear_gaussian.trajectories(jax.random.key(2), tasks, length=6)
    np.testing.assert_allclose(jnp.linalg.norm(tasks.C, axis=-1), 1, atol=1e-12)
    for t in (0, 5):
        squares = z[:, t, :, None] * z[:, t, None]
        se = squares.std(axis=0) / len(y) ** 0.5
        assert (abs(squares.mean(axis=0) - np.eye(4)) < 4.5 * se).all()
        value = y[:, t, 0] ** 2
        assert abs(value.mean() - 1.25) < 4 * value.std() / len(y) ** 0.5


def test_coloured_noise_has_the_stated_correlation():
    noise = regression.ar1(jax.random.normal(jax.random.key(3), (5, 40_000)), 0.9)
    for lag in range(5):
        product = noise[0] * noise[lag]
        assert abs(product.mean() - 0.9**lag) < 4 * product.std() / 200


def test_moving_sums_of_noise_are_stationary():
    draws = np.asarray(
        linear_gaussian.moving_sum(jax.random.normal(jax.random.key(4), (16, 20_000)), 5)
    )
    for lag in range(7):
        for start in (0, 5):
            product = draws[start] * draws[start + lag] if start + lag < 12 else draws[0] * 0
            expected = max(5 - lag, 0)
            assert abs(product.mean() - expected) < 4.5 * product.std() / 20_000**0.5 + 1e-12


def test_symbols_follow_the_rows_of_their_context():
    sample = chains.markov_sampler(symbols=2, alpha=1.0, order=1)
    batch = jax.jit(lambda key: sample(key, count=500, length=100))(jax.random.key(5))
    truth = jnp.exp(batch.task)
    x = np.asarray(batch.targets)
    for i in range(2):
        follows = (x[:, :-1] == i) * (x[:, 1:] == 1) - (x[:, :-1] == i) * truth[:, i, 1, None]
        z = follows.sum(axis=1)
        assert abs(z.mean()) < 4 * z.std() / 500**0.5


def test_contexts_are_the_digits_of_the_symbols_before():
    x = jnp.array([[2, 0, 1, 2, 1]])
    np.testing.assert_array_equal(chains.contexts(x, symbols=3, order=2), [[0, 2, 6, 1, 5]])


def test_tokens_of_three_formats():
    x = jnp.arange(1.0, 7.0).reshape(1, 3, 2)
    y = jnp.array([10.0, 20.0, 30.0]).reshape(1, 3, 1)
    np.testing.assert_array_equal(
        regression.tokenised(x, y, tokens="lag")[0],
        [[1, 2, 0, 0, 0, 1], [3, 4, 1, 2, 10, 0], [5, 6, 3, 4, 20, 0]],
    )
    np.testing.assert_array_equal(
        regression.tokenised(x, y, tokens="shift")[0],
        [[1, 2, 0, 1], [3, 4, 10, 0], [5, 6, 20, 0]],
    )
    np.testing.assert_array_equal(
        regression.tokenised(x, y, tokens="interleaved")[0, :4],
        [[1, 2, 0, 0], [0, 0, 10, 1], [3, 4, 0, 0], [0, 0, 20, 1]],
    )


def test_white_noise_with_unknown_correlation_is_refused():
    with pytest.raises(ValueError, match="needs a known rho"):
        catalogue.coloured(rho=None, white=0.1)
