"""The experiment end to end at its smoke size, its claims, its figures, and a killed run."""

from pathlib import Path

import jax
import numpy as np
import pytest
import yaml
from matplotlib.animation import Animation
from matplotlib.figure import Figure

import feedrun
from feedrun.experiment import Estimate, judge, silent_journal
from feedrun.papers.mean_field.clustering.experiment import EXPERIMENT, moments

CONFIGS = Path(feedrun.__file__).parent.parent / "configs"


def smoke():
    """The yaml with its smoke sizes, as the command line composes them."""
    cfg = yaml.safe_load((CONFIGS / "experiment/particles_clustering.yaml").read_text())
    sizes = yaml.safe_load((CONFIGS / "scale/particles_clustering/smoke.yaml").read_text())
    for key, value in sizes.items():
        cfg[key] = cfg[key] | value if isinstance(value, dict) else value
    del cfg["_target_"], cfg["about"]
    return EXPERIMENT.config(**{k: _number(v) for k, v in cfg.items()})


def _number(value):
    """YAML 1.1 reads 1e5 as text; OmegaConf does not."""
    if isinstance(value, dict):
        return {k: _number(v) for k, v in value.items()}
    return float(value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def result():
    return EXPERIMENT.run(smoke(), jax.random.key(0), silent_journal())


def test_summary_is_finite_and_holds_every_claims_metric(result):
    for name, value in result.summary.items():
        assert np.isfinite(value).all(), name
    assert {claim.metric for claim in EXPERIMENT.claims} <= set(result.summary)


def test_exact_claims_hold_even_at_smoke_size(result):
    exact = [c for c in EXPERIMENT.claims if isinstance(result.summary[c.metric], float)]
    assert len(exact) > 10
    assert {judge(c, result.summary).verdict for c in exact} == {"holds"}


def test_collapsed_fractions_carry_their_exact_interval(result):
    four = Estimate(1.0, 0.025**0.25, 1.0)  # Clopper-Pearson, 4 of 4
    np.testing.assert_allclose(result.summary["collapsed_sa_beta_1"], four, rtol=1e-12)


def test_figures_draw(result, tmp_path):
    figures = EXPERIMENT.figures(result)
    assert len(figures) == 5
    for figure in figures.values():
        if isinstance(figure, Figure):
            figure.canvas.draw()
        else:
            assert isinstance(figure, Animation)
            figure.save(tmp_path / "moving.gif", writer="pillow")


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
        EXPERIMENT.run(smoke(), jax.random.key(0), disk(store, kill=3))
    assert store["usa"][0] == 3 and store["sa"][0] == 8
    resumed = EXPERIMENT.run(smoke(), jax.random.key(0), disk(store))
    assert resumed.summary == result.summary
    for name, values in result.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], values)
