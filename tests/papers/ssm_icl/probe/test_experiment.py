"""Probes: targets and ceilings against conditioning written out, gains in closed form, scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from feedrun.experiment import judge, silent_journal
from feedrun.papers.ssm_icl.families import catalogue, chains, linear_gaussian
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.probe import gain, probes, targets
from feedrun.papers.ssm_icl.probe.experiment import EXPERIMENT
from tests.configs import config

GAIN = gain.Gain(a=0.9, r=1.0, sequences=5)
PROBING = probes.Probing(
    fit=48, choose=16, test=32, lags=2, after=3, penalties=[1e-9, 1.0], slab=16
)


@pytest.fixture(scope="module")
def four():
    tasks = linear_gaussian.lg4(jax.random.key(0), 3)
    sample = linear_gaussian.sampler(lambda key, count: tasks)
    return tasks, jax.jit(lambda key: sample(key, count=3, length=5))(jax.random.key(1))


def test_genie_is_conditioning_of_the_joint_gaussian(four):
    tasks, batch = four
    found = targets.run(targets.linear_genie, batch)
    for b in range(3):
        A, c, y = (np.asarray(v, float)[b] for v in (tasks.A, tasks.C[:, 0], batch.targets))
        # Cov(z_s, z_t) = A^(s - t) for s >= t, and y = c z + noise of variance 1/4
        gamma = lambda h, A=A, c=c: c @ np.linalg.matrix_power(A, abs(h)) @ c  # noqa: E731
        for t in range(1, 5):
            cov = np.array([[gamma(i - j) + 0.25 * (i == j) for j in range(t)] for i in range(t)])
            for name, at in (("signal", t), ("filtered", t - 1), ("second", t + 1)):
                weights = np.linalg.solve(cov, [gamma(at - j) for j in range(t)])
                assert found[name][b, t, 0] == pytest.approx(weights @ y[:t, 0], abs=1e-9)


def test_attainable_is_the_mixture_over_tasks(four):
    tasks, batch = four
    known = targets.run(targets.linear(tasks).attainable, batch)
    mixed = jax.jit(lambda y: oracles.bank(tasks, y))(batch.targets[..., 0])
    np.testing.assert_allclose(known["signal"][..., 0], mixed.mean, atol=1e-10)
    np.testing.assert_allclose(known["decay"][:, 0, 0], np.sqrt(1 - tasks.q).mean(), rtol=1e-9)
    alone = jax.tree.map(lambda leaf: leaf[:1], tasks)
    own = targets.run(targets.linear(alone).attainable, batch)
    genie = targets.run(
        targets.linear_genie,
        batch._replace(task=jax.tree.map(lambda leaf: jnp.repeat(leaf[:1], 3, axis=0), tasks)),
    )
    for name in ("signal", "filtered", "second"):
        np.testing.assert_allclose(own[name], genie[name], atol=1e-9)


def test_truth_is_what_the_sequence_was_made_of(four):
    tasks, batch = four
    truth = targets.run(targets.linear_truth, batch)
    signal = np.einsum("bn,btn->bt", tasks.C[:, 0], truth["state"])
    np.testing.assert_allclose(truth["signal"][..., 0], signal, atol=1e-12)
    np.testing.assert_allclose(truth["filtered"][:, 1:], truth["signal"][:, :-1], atol=1e-12)


def test_losses_are_squared_errors_and_divergences():
    rng = np.random.default_rng(0)
    truth, guess = rng.standard_normal((6, 4, 3)), rng.standard_normal((2, 6, 4, 3))
    loss, spread = targets.losses("signal", truth, guess)
    np.testing.assert_allclose(loss[1], ((truth - guess[1]) ** 2).sum(-1).mean(0))
    np.testing.assert_allclose(spread, truth.var(axis=0).sum(axis=-1))
    loss, even = targets.losses("belief", truth, guess)
    p, q = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (truth, guess[0]))
    np.testing.assert_allclose(loss[0], (p * np.log(p / q)).sum(-1).mean(0))
    np.testing.assert_allclose(even, (p * np.log(p * 3)).sum(-1).mean(0))


def test_belief_is_the_filters():
    library = chains.switching_library(jax.random.key(0))
    asked = targets.switching(library)
    batch = chains.switching_sampler(library)(jax.random.key(1), count=2, length=4)
    known = np.exp(targets.run(asked.truth, batch)["belief"])
    rows, moves = np.exp(library.rows), np.asarray(chains.mode_transitions())
    belief, x = np.full(4, 0.25), np.asarray(batch.targets)
    for t in range(1, 4):
        step = rows[:, x[0, t - 2], x[0, t - 1]] if t > 1 else np.ones(4)
        belief = (belief * step / (belief * step).sum()) @ moves
        np.testing.assert_allclose(known[0, t] / known[0, t].sum(), belief, rtol=1e-6)


def test_a_probe_reads_what_is_there_and_not_what_is_not():
    family, sizes = catalogue.lg1(), PROBING.model_copy(update={"fit": 192, "test": 128})
    asked = targets.linear(linear_gaussian.lg1_grid())
    test_key, fit_key, held_key = jax.random.split(jax.random.key(3), 3)
    test = family.sample(test_key, count=sizes.test, length=6)
    data = probes.data(family, asked, (fit_key, held_key), test, sizes, 6)
    readers = [
        lambda batch: np.asarray(batch.hidden["signal"]) @ np.array([[2.0, -1.0]]),
        lambda batch: np.ones((*batch.targets.shape[:2], 1)),
    ]
    score = probes.read(data, readers, sizes)
    np.testing.assert_allclose(score.average["signal"][0], 1, atol=1e-6)
    assert abs(score.average["signal"][1]) < 0.2 and score.by_position["state"].shape == (2, 5)
    ceiling = probes.known(data, data.attainable, sizes.after)
    assert ceiling.average["filtered"][0] > ceiling.average["signal"][0] > 0


def test_the_control_sees_the_last_tokens():
    family = catalogue.lg1()
    batch = family.sample(jax.random.key(0), count=3, length=5)
    seen = probes.last(2)(batch)
    np.testing.assert_allclose(seen[:, 3, [0, 2]], batch.targets[:, 1:3, 0])
    np.testing.assert_allclose(
        seen[:, 1, [0, 2]], np.stack([np.zeros(3), batch.targets[:, 0, 0]], 1)
    )


def test_influence_of_the_filter_is_the_closed_form():
    y = gain.observations(GAIN, jax.random.key(0), 12)
    found = np.asarray(jax.jit(lambda y: gain.influence(gain.genie(GAIN), y))(y))
    P, expected, K = 1.0, np.zeros((12, 12)), []
    for _ in range(12):
        K.append(0.9 * P / (P + 1))
        P = 0.81 * (P - P**2 / (P + 1)) + 0.19
    for t in range(1, 12):
        for s in range(t):
            expected[t, s] = K[s] * np.prod([0.9 - K[j] for j in range(s + 1, t)])
    np.testing.assert_allclose(found, np.repeat(expected[None], 5, 0), atol=1e-9)
    np.testing.assert_allclose(gain.gains(found)[0], K[:-1], atol=1e-9)
    assert K[-1] == pytest.approx(0.273211, abs=1e-4)


def test_window_bounds_the_cosine_of_what_sees_no_more():
    decay = 0.626789 ** np.arange(60)
    for window in (1, 4):
        best = np.where(np.arange(60) < window, decay, 0)  # the projection is the nearest in angle
        found = gain.cosine(best[None], decay[None])[0]
        assert gain.window_cosine(GAIN, window) == pytest.approx(found, abs=1e-5)


def test_influences_are_compared_by_angle_and_distance():
    two = np.zeros((1, 3, 3))
    two[0, 2] = [0, 1, 1]
    np.testing.assert_allclose(gain.cosine(2 * two, two)[0], [0, 0, 1])
    np.testing.assert_allclose(gain.distance(2 * two, two)[0], [0, 0, 1])
    np.testing.assert_allclose(gain.gains(two)[0], [0, 1])


def test_scores_beyond_the_sequence_are_one_clear_error():
    with pytest.raises(ValidationError, match="after=12 must be below every length"):
        config("icl_probe", "smoke", probing={"after": 12})


@pytest.mark.parametrize("scale", ["laptop", "gpu", "paper"])
def test_configs_are_valid(scale):
    assert config("icl_probe", scale).lg4.training.seeds >= 3


@pytest.mark.slow
def test_a_small_run_of_all_arms_measures_every_claim_and_draws():
    full = config("icl_probe")
    lg4, lg1, switching = ({"arms": part.arms} for part in (full.lg4, full.lg1, full.switching))
    cfg = config("icl_probe", "smoke", lg4=lg4, lg1=lg1, switching=switching)
    done = EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    for name, value in done.summary.items():
        assert np.isfinite(value).all(), name
    verdicts = {judge(claim, done.summary).verdict for claim in EXPERIMENT.claims}
    assert "not measured" not in verdicts
    figures = EXPERIMENT.figures(done)
    assert set(figures) == {"share_of_ceiling", "by_position", "gain"}
    for figure in figures.values():
        figure.canvas.draw()
