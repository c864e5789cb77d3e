"""Long adaptive runs: merging is harmless, times are right, a killed run resumes bit for bit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from feedrun.experiment import silent_journal
from feedrun.maths import ode, sphere
from feedrun.papers.mean_field.clustering import flow, identities
from feedrun.runtime import replicas

advance = jax.jit(flow.advance, static_argnames="norm")
FINE = flow.Accuracy(1e-9, 1e-7)

FIVE = jnp.array([0.062197, 0.214323, 1.819123, 2.911071, -3.095248])
"""A worked staircase; at beta = 4 its last merger comes at t = 334.5."""


def test_long_run_equals_fixed_rk4_steps():
    x = sphere.uniform(jax.random.key(0), (8, 3))
    step = identities.stepper(jnp.full(8, 1 / 8), 4.0, 0.005, norm="sa")
    late = advance(flow.start(x), 4.0, 5.0, FINE, norm="sa").clock
    assert late.t == 5.0
    np.testing.assert_allclose(late.y, ode.end(step, x, 1000), atol=1e-7)  # 100 local errors


def test_worked_staircase_merges_at_the_reference_time():
    swarm = advance(flow.start(sphere.from_angle(FIVE)), 4.0, 1000.0, FINE, norm="sa")
    # The table counts a merger at 1e-4 rad, we at 1e-6: e^{-2t} makes that ln(100) later, and
    # its own time is printed to four digits; ours is noted at the end of a step.
    assert abs(swarm.collapsed_at - np.log(100) - 334.5) < 0.5


def test_two_clusters_meet_at_the_time_of_the_exact_scalar_ode():
    beta, rho0, rho1 = 6.0, -0.5, 1 - 0.5e-12

    def rate(r):
        return (1 - r * r) * np.exp(beta * r) * 2 / (np.exp(beta) + np.exp(beta * r))

    slow = quad(lambda r: 1 / rate(r), rho0, 0.999, epsrel=1e-10)[0]
    fast = 0.5 * np.log(1e-3 / (1 - rho1))  # near 1, d(1-rho)/dt = -2 (1-rho)
    x = sphere.from_angle(jnp.array([0.0, np.arccos(rho0)]))
    met = advance(flow.start(x), beta, 1e4, FINE, norm="sa").collapsed_at
    assert abs(met - slow - fast) < 0.5  # noted at the end of a step


def test_halving_the_merge_radius_hardly_moves_the_collapse():
    x = sphere.uniform(jax.random.key(3), (16, 3))
    met = [
        advance(flow.start(x), 4.0, 1e5, flow.Accuracy(1e-9, r), norm="sa").collapsed_at
        for r in (1e-7, 5e-8)
    ]
    assert abs(np.log(met[0] / met[1])) < 1e-3


def test_merged_tokens_let_the_step_grow_to_the_slow_time_scale():
    x = sphere.from_angle(jnp.array([0.0, 1e-9, 2.0, 2.0 + 1e-9]))
    swarm = advance(flow.start(x), 25.0, 1e6, FINE, norm="sa")
    assert swarm.clock.h > 1e3 and swarm.attempts < 100 and jnp.isinf(swarm.collapsed_at)


def test_identified_tokens_stay_on_one_point():
    x = sphere.from_angle(jnp.array([0.0, 1e-9, 2.0]))
    y = advance(flow.start(x), 1.0, 0.5, FINE, norm="sa").clock.y
    np.testing.assert_array_equal(y[0], y[1])


def test_row_counts_distinct_pairs_and_clusters():
    row = flow.observe(sphere.from_angle(jnp.array([0.0, 0.01, 2.0])), 1.0, 0.05, bins=10)
    assert row.clusters == 2 and row.pairs.sum() == 6 and row.pairs[-1] == 2


def test_a_stuck_run_is_refused_with_its_numbers():
    with pytest.raises(RuntimeError, match="2 of 2 starts need more than 20000 steps"):
        runs(silent_journal(), tolerance=1e-40)


def runs(journal, *, tolerance=1e-9):
    x0 = sphere.uniform(jax.random.key(0), (1, 2, 6, 3))
    return flow.evolve(
        x0,
        {"beta_2": 2.0},
        [0.0, 1.0, 5.0, 20.0],
        norm="sa",
        accuracy=flow.Accuracy(tolerance, 1e-7),
        cluster_angle=0.05,
        bins=12,
        journal=journal,
        progress=lambda: None,
    )


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


def test_a_killed_run_resumes_bit_for_bit():
    store = {}
    with pytest.raises(Killed):
        runs(killed_at(2, store))
    assert store["last"][0] == 2
    resumed, whole = runs(killed_at(None, store)), runs(silent_journal())
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


def test_stored_path_passes_through_the_rows_of_a_run():
    x = sphere.uniform(jax.random.key(0), (6, 3))
    path = flow.path(x, 2.0, jnp.array([0.0, 1.0, 5.0]), FINE, norm="sa")
    late = advance(flow.start(x), 2.0, 5.0, FINE, norm="sa").clock.y
    np.testing.assert_array_equal(path[0], x)
    np.testing.assert_allclose(path[2], late, atol=1e-7)  # other steps, same tolerance


def test_temperature_does_not_recompile():
    x0 = sphere.uniform(jax.random.key(0), (1, 2, 6, 3))
    swarms = jax.vmap(jax.vmap(flow.start))(x0)
    step = partial(flow.chunk, norm="sa", bins=12, mesh=replicas.device_mesh(2))
    before = flow.chunk._cache_size()  # type: ignore
    for beta, until in ((0.5, 1.0), (3.0, 2.0)):
        step(swarms, jnp.array([beta]), until, 0.05, flow.Accuracy(1e-8 * beta, 1e-7))
    assert flow.chunk._cache_size() <= before + 1  # type: ignore
