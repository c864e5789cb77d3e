"""Libraries of every size in one program, the crossover, distances; a run end to end."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pydantic import ValidationError

from feedrun import train
from feedrun.experiment import judge, silent_journal
from feedrun.papers.ssm_icl.arms import evaluation
from feedrun.papers.ssm_icl.diversity import distances, libraries
from feedrun.papers.ssm_icl.diversity.distances import PLACES, Distances, crossover
from feedrun.papers.ssm_icl.diversity.experiment import EXPERIMENT
from feedrun.papers.ssm_icl.families import catalogue
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from tests.configs import config

SIZES = {"count": 24, "length": 6}


@pytest.fixture(scope="module")
def systems():
    return libraries.frozen(jax.random.key(0), 8)


@pytest.fixture(scope="module")
def draws():
    return libraries.draws(catalogue.lg4(jax.random.key(1), bank=16), **SIZES)


def marked(draws, batch, library):
    """The batch as an evaluation set with all references."""
    beside = libraries.references(draws, batch)
    return libraries.eval_set(draws, batch, library, beside)


def test_a_library_draws_its_first_systems_and_all_of_them(systems, draws):
    own = libraries.library(systems, 3)
    batch = draws.familiar(own, jax.random.key(2))
    which = (np.asarray(batch.task.q)[:, None] == systems.q[None]).argmax(axis=1)
    assert set(which) == {0, 1, 2}
    np.testing.assert_array_equal(batch.task.A, systems.A[which])


def test_sizes_of_a_library_share_programs_for_sampling_and_training(systems):
    draws = libraries.draws(catalogue.lg4(jax.random.key(1), bank=16), **SIZES)
    stream = libraries.batches(count=4, length=3)
    traced = []

    def loss(params, batch, key):
        traced.append(batch.targets.shape)
        return params * jnp.mean(batch.targets**2), {}

    optimizer = optax.sgd(0.1)
    for number, k in enumerate((1, 5, 8)):
        own = libraries.library(systems, k)
        draws.familiar(own, jax.random.key(number))
        train.fit(
            jax.random.key(10 + number),
            jnp.zeros(()),
            loss,
            stream(own),
            optimizer,
            steps=2,
            log_every=2,
            journal=silent_journal(),
        )
        if number == 0:
            once = len(traced)
    assert draws.familiar._cache_size() == 1
    assert len(traced) == once


def test_an_evaluation_set_has_the_genie_the_librarys_mixture_and_the_full_priors(systems, draws):
    own = libraries.library(systems, 5)
    batch = draws.familiar(own, jax.random.key(3))
    eval_set = marked(draws, batch, own)
    y = batch.targets[..., 0]
    first = jax.tree.map(lambda leaf: leaf[:5], systems)
    np.testing.assert_allclose(eval_set.references["bayes"][..., 0], oracles.bank(first, y).mean)
    np.testing.assert_allclose(eval_set.references["prior"], draws.family.bayes(batch))
    one = libraries.library(systems, 1)
    batch = draws.familiar(one, jax.random.key(4))
    eval_set = marked(draws, batch, one)
    np.testing.assert_allclose(
        eval_set.references["bayes"], eval_set.references["genie"], atol=1e-6
    )


@pytest.mark.parametrize("size", [0, 9])
def test_a_library_larger_than_its_systems_is_refused(systems, size):
    with pytest.raises(ValueError, match=f"{size} systems must have 1..8"):
        libraries.library(systems, size)


def test_the_crossover_of_a_line_in_log_k_is_its_zero():
    tasks = [1, 8, 64, 512]
    lead = 0.3 * (np.log2(tasks) - 4.5)
    assert crossover(tasks, lead) == pytest.approx(4.5)
    assert crossover(tasks, lead + 10) == -np.inf
    assert crossover(tasks, lead - 10) == np.inf


def test_the_crossover_is_the_last_where_noise_makes_several():
    assert crossover([1, 2, 4, 8, 16], np.array([-1.0, 1.0, -1.0, 1.0, 2.0])) == pytest.approx(2.5)


def test_distances_are_to_each_oracle_at_each_place(systems, draws):
    own, answered = libraries.library(systems, 2), {}
    for place, key in zip(PLACES, jax.random.split(jax.random.key(5)), strict=True):
        batch = draws.familiar(own, key)
        eval_set = marked(draws, batch, own)
        answered[place] = (
            eval_set,
            eval_set.references["bayes" if place == "library" else "prior"][None],
        )
    found = distances.distances(answered)
    assert found.library_mixture.max() == found.new_prior.max() == 0
    eval_set = answered["library"][0]
    gap = evaluation.excess(eval_set, eval_set.references["bayes"], "prior").mean(axis=0)
    np.testing.assert_allclose(found.library_prior, gap)
    assert found.library_prior.shape == (SIZES["length"],) and found.library_prior[-1] > 0


def planted(crossings, tasks):
    """Distances (K, R, 4) whose lead on new tasks crosses zero at log2 K = crossings (R,)."""
    found = np.ones((len(tasks), len(crossings), 4))
    lead = 0.1 * (np.log2(tasks)[:, None] - crossings[None])
    found[..., Distances._fields.index("new_mixture")] += lead
    found[..., Distances._fields.index("library_prior")] += 0.2
    return found


def test_the_summary_has_paired_differences_and_a_crossover_a_library():
    tasks, at = [1, 8, 64], np.array([2.0, 4.0, 5.0])
    found = distances.summary("ssd+conv", tasks, planted(at, tasks))
    np.testing.assert_allclose(found["ssd+conv/crossover_log2"], at)
    np.testing.assert_allclose(found["ssd+conv/few_new"], 0.1 * at)
    np.testing.assert_allclose(found["ssd+conv/many_new"], 0.1 * (6 - at))
    np.testing.assert_allclose(found["ssd+conv/few_library"], 0.2)
    np.testing.assert_allclose(found["ssd+conv/new_improves"], 0.0)
    other = {"gru/crossover_log2": [1.0, 1.0, 1.0]}
    gap = distances.between_arms(found | other, ["ssd+conv", "gru"])
    np.testing.assert_allclose(gap["gap/crossover_log2_ssd+conv_minus_gru"], at - 1)


def test_a_crossover_outside_the_sizes_measured_is_left_out():
    tasks = [1, 8, 64]
    found = distances.summary("gru", tasks, planted(np.array([2.0, 9.0]), tasks))
    assert "gru/crossover_log2" not in found and "gru/many_new" in found


def test_tasks_must_rise():
    with pytest.raises(ValidationError, match="must rise"):
        config("icl_diversity", "smoke", tasks=[8, 1])


@pytest.mark.slow
def test_a_run_measures_every_claim_and_draws():
    cfg = config("icl_diversity", "smoke", arms=["ssd+conv", "softmax+conv+rope"])
    done = EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    for name, value in done.summary.items():
        assert np.isfinite(value).all(), name
    assert {claim.metric for claim in EXPERIMENT.claims} <= set(done.summary)
    verdicts = {claim.name: judge(claim, done.summary).verdict for claim in EXPERIMENT.claims}
    assert verdicts["no_arm_beats_the_genie"] == "holds"
    figures = EXPERIMENT.figures(done)
    assert set(figures) == {"distance_by_tasks", "distance_by_context", "training"}
    for figure in figures.values():
        figure.canvas.draw()
