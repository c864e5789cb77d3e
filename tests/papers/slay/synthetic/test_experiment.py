"""slay_synthetic: levels against brute force and by hand, its parts, the whole."""

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.experiment import silent_journal
from feedrun.models.decoder import bare
from feedrun.papers.slay.decoders import tasks, training
from feedrun.papers.slay.decoders.training import Mechanism
from feedrun.papers.slay.synthetic import levels, suite
from feedrun.papers.slay.synthetic.experiment import EXPERIMENT, Synthetic, harder_summary
from feedrun.tasks import recall
from feedrun.tasks.synthetic import TASKS
from feedrun.train import streams, tune
from feedrun.train.optim import adamw_cosine
from tests.configs import config

pytestmark = pytest.mark.slow  # what it compiles takes a minute where nothing is cached

BUDGET: Any = {"features": 8, "nodes": 2, "prf": 4, "poly": 4, "eps": 1e-3, "chunk": 4}

SPECIFIED = {
    "parity": 0.5,
    "modular": 0.15,
    "multihop": 0.03,
    "retrieval": 1.0,
    "kv_recall": 0.016,
    "selective_copy": 0.883,
    "histogram": 0.871,
    "stack": 0.764,
    "induction": 0.016,
    "pattern": 0.912,
    "compression": 0.58,
}
GUESSED = {"sort": 0.16, "counting": 0.24, "addition": 0.20, "majority": 0.25, "first_token": 0.03}


def drawn(name, count=8192):
    keys = jax.random.split(jax.random.key(2), count)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(TASKS[name].sample))(keys))


@pytest.mark.parametrize("name", SPECIFIED)
def test_levels_are_those_computed_by_hand(name):
    _, targets, scored = drawn(name)
    assert levels.expected(name, targets, scored) == pytest.approx(SPECIFIED[name], abs=0.02)


@pytest.mark.parametrize("name", GUESSED)
def test_guesses_are_those_computed_by_hand(name):
    _, targets, scored = drawn(name)
    guess = levels.pooled(levels.guess(targets, scored), scored)
    assert guess == pytest.approx(GUESSED[name], abs=0.015)


@pytest.mark.parametrize("name", ["stack", "histogram"])
def test_closed_forms_agree_with_the_best_constant_of_each_position(name):
    _, targets, scored = drawn(name, 2**15)
    guess = levels.pooled(levels.guess(targets, scored), scored)
    assert levels.CEILINGS[name]() == pytest.approx(guess, abs=0.002)


def test_sort_ceiling_equals_enumeration():
    """All 3^4 sequences: the most frequent target among those that share the tokens so far."""
    every = list(product(range(3), repeat=4))
    right = 0
    for i in range(4):
        ends = {}
        for x in every:
            ends.setdefault(x[: i + 1], []).append(sorted(x)[i])
        right += sum(max(map(found.count, found)) for found in ends.values())
    draws = 20_000
    error = 0.5 / draws**0.5
    assert levels.sort_ceiling(3 + 1, 3, draws=draws) == pytest.approx(right / 324, abs=4 * error)


def test_padded_tasks_of_other_vocabularies_train_as_they_would_alone():
    """The loss of a task in a shared program is that of its own tokens and classes."""
    sampler, which = suite.sampler_of("sort", ["reverse", "sort", "parity"], 4)
    batch = sampler(jnp.asarray(which), jax.random.key(0))
    loss = tasks.Loss(suite.network(sampler.length))
    nothing = Mechanism(attend="softmax", **BUDGET)
    keys = jax.random.split(jax.random.key(1), 1)
    draw = suite.drawing(nothing)
    params = jax.tree.map(lambda x: x[0], training.starts(keys, loss.decoder, draw))
    short = [jnp.asarray(x[:, :16]) for x in batch.examples]
    logits = jax.vmap(lambda x: training.logits(loss.decoder, params, x))(short[0])[..., :32]
    expected = -jnp.take_along_axis(jax.nn.log_softmax(logits), short[1][..., None], -1).mean()
    np.testing.assert_allclose(loss(params, batch, jax.random.key(2))[0], expected, rtol=1e-5)


def test_what_was_drawn_is_not_trained():
    from feedrun import train

    mechanism = Mechanism(attend="slay", **BUDGET)
    decoder = bare(vocabulary=8, length=8, width=8, heads=2, layers=1)
    draw = training.drawing(mechanism, layers=1, heads=2, dimension=4)
    keys = jax.random.split(jax.random.key(0), 2)
    params = training.starts(keys, decoder, draw)
    sampler = tasks.Sampler((TASKS["parity"]._replace(length=8),), 8, 4)
    after = train.fit(
        jax.random.split(jax.random.key(1), 2),
        params,
        tasks.Loss(decoder),
        sampler.stream(0),
        adamw_cosine(learning_rate=1e-2, decay=0.1, trained=training.TRAINED),
        steps=2,
        log_every=2,
        journal=silent_journal(),
        repeats=2,
    )
    for old, new in zip(*map(jax.tree.leaves, (params["drawn"], after["drawn"])), strict=True):
        np.testing.assert_array_equal(old, new)
    moved = jax.tree.map(lambda old, new: bool((old != new).any()), params["net"], after["net"])
    assert all(jax.tree.leaves(moved))


def test_tuning_takes_the_rate_with_the_best_validation_score_and_fresh_seeds():
    seen = []

    def fit(keys, params, opt_state, journal):
        seen.append((np.asarray(params).tolist(), jax.random.key_data(keys).tolist()))
        return opt_state.hyperparams["learning_rate"]

    tuned = tune.tuned_fit(
        jax.random.key(0),
        [1e-3, 4e-3, 2e-3],
        start=lambda keys: jax.vmap(lambda key: jax.random.normal(key, ()))(keys),
        fit=fit,
        score=lambda rates: np.abs(np.asarray(rates) - 2.1e-3),
        optimizer=adamw_cosine(decay=0.0),
        journal=silent_journal(),
    )
    assert tuned.lr == 2e-3 and len(tuned.trials) == 3
    np.testing.assert_allclose(tuned.params, [2e-3] * 3, rtol=1e-6)
    assert not set(map(str, seen[0][1])) & set(map(str, seen[1][1])) and seen[0][0] != seen[1][0]


def test_streams_of_one_length_are_one_program():
    names = ["reverse", "parity", "first_token"]
    first, second = (suite.sampler_of(name, names, 4)[0] for name in ("reverse", "parity"))
    assert first == second and hash(first) == hash(second)
    assert suite.sampler_of("first_token", names, 4)[0] != first
    assert first.stream(0).plan is streams.step_keys


def test_guesses_stand_beside_a_smoke_run(smoke):
    result = smoke("slay_synthetic").result
    assert result.notes["chance"]["kv_recall_slay"] == pytest.approx(1 / 63, abs=0.03)
    assert result.notes["ceilings"]["reverse"] == 0.515625
    assert {"kv_recall_gap", "reverse_slay", "pairs_elu_x1"} <= set(result.summary)


def test_every_scale_names_what_exists_and_claims_meet_metrics_of_the_full_ones():
    for scale in ("smoke", "laptop", "gpu", "paper"):
        config("slay_synthetic", scale)
    claimed = {claim.metric for claim in EXPERIMENT.claims}
    assert {f"{name}_gap" for name in levels.EXPECTED} <= claimed


def test_what_is_claimed_of_harder_tasks_is_measured_at_laptop_scale():
    cfg = config("slay_synthetic")
    h = cfg.harder
    nothing = np.zeros((len(h.tasks), len(h.compared), len(h.factors), len(h.rates)))
    measured = harder_summary(cfg, nothing)
    claimed = {c.metric for c in EXPERIMENT.claims if c.metric.startswith(tuple(recall.TASKS))}
    assert len(claimed) == 3 * len(recall.TASKS) * 2 and claimed <= set(measured)
    assert set(recall.CHANCE) == set(recall.TASKS)


def test_unknown_tasks_and_mechanisms_are_refused():
    cfg = config("slay_synthetic", "smoke").model_dump()
    with pytest.raises(ValueError, match="no task 'sorting'"):
        Synthetic.model_validate(cfg | {"suite": cfg["suite"] | {"tasks": ["sorting"]}})
    with pytest.raises(ValueError, match="no mechanism 'mamba'"):
        Synthetic.model_validate(cfg | {"ours": "mamba"})
    with pytest.raises(ValueError, match="no attention 'mamba'"):
        Mechanism(attend="mamba", **BUDGET)
    with pytest.raises(ValueError, match="width 16 is not a multiple of heads 3"):
        Synthetic.model_validate(cfg | {"harder": cfg["harder"] | {"heads": 3}})
    short = {"tasks": ["needle"], "length": 12, "factors": [2, 4]}  # too short to train on alone
    with pytest.raises(ValueError, match="needle has lengths 24 to 1000000, got 12"):
        Synthetic.model_validate(cfg | {"harder": cfg["harder"] | short})
