"""Batched token runs: exact reduction, rows, batches, compilations, and killed runs."""

import logging
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.experiment import silent_journal
from feedrun.maths import sphere
from feedrun.papers.mean_field.phase import flow
from feedrun.papers.mean_field.phase import starts as phase_starts

follow = jax.jit(partial(flow.follow, scheme="peri_ln"))
TIMES = np.stack([np.linspace(0, 4, 9), np.linspace(0, 6, 9)])


def test_reduced_coordinates_keep_all_inner_products():
    x = sphere.uniform(jax.random.key(0), (6, 40))
    y = phase_starts.coordinates(x)
    assert y.shape == (6, 6)
    np.testing.assert_allclose(y @ y.T, x @ x.T, atol=1e-14)


def test_reduced_tokens_run_as_the_full_ones():
    x = sphere.uniform(jax.random.key(0), (6, 40))
    full, reduced = (
        follow(flow.start(start, 0.0), 4.0, TIMES[0], 0.0, 1e-11)[1]
        for start in (x, phase_starts.coordinates(x))
    )
    np.testing.assert_allclose(reduced.mean, full.mean, rtol=1e-9)
    np.testing.assert_allclose(reduced.median, full.median, rtol=1e-6)  # bisected to 1e-7
    np.testing.assert_array_equal(reduced.met, full.met)


def test_few_dimensions_are_left_as_they_are():
    x = sphere.uniform(jax.random.key(0), (6, 3))
    np.testing.assert_array_equal(phase_starts.coordinates(x), x)


def test_row_is_what_numpy_counts():
    x = np.array(sphere.uniform(jax.random.key(2), (7, 3)))
    x[1] = x[0] + 1e-3 * x[1]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    gaps = np.sort(1 - (x @ x.T)[np.triu_indices(7, 1)])
    row = flow.observe(jnp.asarray(x))
    np.testing.assert_allclose(row.mean, gaps.mean(), rtol=1e-12)
    np.testing.assert_allclose(row.median, gaps[(len(gaps) - 1) // 2], rtol=1e-6)
    assert row.met == np.mean(gaps < 1e-3) > 0


def test_gaps_keep_their_digits_near_the_collapse():
    x = sphere.normalise(jnp.array([[1.0, 0.0], [1.0, 1e-6], [1.0, -1e-6]]))
    row = flow.observe(x)
    np.testing.assert_allclose(row.mean, (0.5e-12 + 0.5e-12 + 2e-12) / 3, rtol=1e-6)
    np.testing.assert_allclose(row.median, 0.5e-12, rtol=1e-6)


def starts(betas, seeds):
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    sizes = {"tokens": 6, "dimension": 10, "replicas": 2}
    return phase_starts.uniform_starts(keys, **sizes), jnp.asarray(betas)


def runs(journal, *, betas=(1.0, 4.0), seeds=(0, 1), tolerance=1e-9):
    theta, betas = starts(betas, seeds)
    return flow.evolve(
        theta,
        0.0,
        betas,
        np.stack([TIMES[k % 2] for k in range(len(seeds))]),
        turn=0.0,
        tolerance=tolerance,
        scheme="pre_ln",
        rows_a_chunk=3,
        journal=journal,
    )


def test_a_batch_gives_what_its_runs_give_alone():
    both = runs(silent_journal())
    alone = runs(silent_journal(), betas=(1.0,), seeds=(0,))
    for batched, single in zip(both, alone, strict=True):
        # One program against another: rounding may differ, and 1e-9 is the tolerance of a step.
        np.testing.assert_allclose(batched[:1], single, rtol=1e-8)


def compilations(caplog, act):
    """Names of the programs that `act` makes jax compile."""
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        caplog.clear()
        act()
    messages = [record.getMessage() for record in caplog.records]
    return [m.split(" with ")[0] for m in messages if m.startswith("Compiling ")]


def test_another_temperature_or_seed_compiles_nothing(caplog):
    runs(silent_journal())
    assert not compilations(caplog, lambda: runs(silent_journal(), betas=(2.0, 7.0), seeds=(5, 6)))


def test_all_chunks_of_a_run_share_one_program(caplog):
    sizes = {"betas": (1.0, 2.0, 3.0), "seeds": (0, 1, 2)}
    found = compilations(caplog, lambda: runs(silent_journal(), **sizes))
    assert found.count("Compiling jit(chunk)") == 1


def test_rows_are_logged_with_one_number_a_run():
    rows = []
    runs(silent_journal(lambda step, metrics: rows.append((step, metrics))))
    assert [step for step, _ in rows] == list(range(9))
    np.testing.assert_array_equal(rows[4][1]["own_time"], TIMES[:, 4])
    assert rows[4][1]["gap"].shape == rows[4][1]["pairs_met"].shape == (2,)


def test_a_stuck_run_is_refused_with_its_numbers():
    with pytest.raises(RuntimeError, match="4 of 4 starts need more than 20000 steps"):
        runs(silent_journal(), tolerance=1e-40)


class Killed(Exception):
    """Stands for kill -9."""


def killed_at(step, store):
    """A journal that keeps the last checkpoint in `store` and dies when row `step` is logged."""

    def log(k, metrics):
        if k == step:
            raise Killed

    def save(k, state, final=False):
        store["last"] = k, jax.tree.map(np.array, state)

    return silent_journal(log)._replace(save=save, restore=lambda like: store.get("last"))


def test_a_killed_batch_resumes_bit_for_bit():
    store = {}
    with pytest.raises(Killed):
        runs(killed_at(7, store))
    assert store["last"][0] == 6
    resumed, whole = runs(killed_at(None, store)), runs(silent_journal())
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


def test_float32_stays_float32():
    x = sphere.uniform(jax.random.key(0), (6, 10), dtype=jnp.float32)
    swarm = flow.start(phase_starts.coordinates(x), 0.0)
    numbers = [jnp.asarray(a, jnp.float32) for a in (2, [0.0, 0.5, 1.0], 0, 1e-4)]
    swarm, row = flow.follow(swarm, *numbers, scheme="peri_ln")
    assert {leaf.dtype for leaf in (*swarm.clock.y, *row)} == {jnp.dtype(jnp.float32)}
