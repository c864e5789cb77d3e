"""The experiment end to end at its smoke size, its claims, its figures, and a killed run."""

import jax
import numpy as np
import pytest

from feedrun.experiment import Estimate, judge, silent_journal
from feedrun.papers.mean_field.clustering.experiment import EXPERIMENT, moments
from tests.configs import config

CFG = config("particles_clustering", "smoke")


@pytest.fixture
def result(smoke):
    return smoke("particles_clustering").result


def test_exact_claims_hold_even_at_smoke_size(result):
    exact = [c for c in EXPERIMENT.claims if isinstance(result.summary[c.metric], float)]
    assert len(exact) > 10
    assert {judge(c, result.summary).verdict for c in exact} == {"holds"}


def test_collapsed_fractions_carry_their_exact_interval(result):
    four = Estimate(1.0, 0.025**0.25, 1.0)  # Clopper-Pearson, 4 of 4
    np.testing.assert_allclose(result.summary["collapsed_sa_beta_1"], four, rtol=1e-12)


def test_moments_begin_at_zero_and_end_at_the_horizon():
    times = moments(100.0, 5)
    assert times[0] == 0 and times[1] == 0.1 and len(times) == 5
    np.testing.assert_allclose(times[-1], 100)


class Killed(Exception):
    """Stands for kill -9."""


def disk(store, *, scope="", kill=None):
    """A journal with checkpoints in a dict, one a scope; dies at row `kill` of scope usa."""

    def log(step, metrics):
        if (scope, step) == ("usa", kill):
            raise Killed

    def save(step, state, final=False):
        store[scope] = step, jax.tree.map(np.array, state)

    return silent_journal(log)._replace(
        save=save,
        restore=lambda like: store.get(scope),
        scope=lambda name: disk(store, scope=name, kill=kill),
    )


def test_a_killed_run_resumes_to_the_identical_result(result):
    store = {}
    with pytest.raises(Killed):
        EXPERIMENT.run(CFG, jax.random.key(0), disk(store, kill=3))
    assert store["usa"][0] == 3 and store["sa"][0] == 8
    resumed = EXPERIMENT.run(CFG, jax.random.key(0), disk(store))
    assert resumed.summary == result.summary
    for name, values in result.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], values)
