"""The experiment end to end at its smoke size: batches, claims, figures, the phase map."""

from pathlib import Path

import jax
import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

import feedrun
from feedrun.experiment import Estimate, judge, silent_journal
from feedrun.papers.mean_field.phase import sweep_figures
from feedrun.papers.mean_field.phase.experiment import EXPERIMENT, Phase, many
from tests.configs import config

CONFIGS = Path(feedrun.__file__).parent.parent / "configs"
EXACT = ("equiangular", "initial_speed")


def sizes(**changes):
    return config("particles_phase", "smoke", **changes)


@pytest.fixture
def result(smoke):
    return smoke("particles_phase").result


def run(**changes):
    return EXPERIMENT.run(sizes(**changes), jax.random.key(0), silent_journal())


def test_exact_claims_hold(result):
    verdicts = {claim.name: judge(claim, result.summary).verdict for claim in EXPERIMENT.claims}
    assert {verdicts[name] for name in EXACT} == {"holds"}
    assert verdicts["exponential_end_tokens"] == verdicts["exponential_end_model"] == "holds"
    assert verdicts["root_end_tokens"] == verdicts["square_end_model"] == "not measured"


@pytest.mark.parametrize("scheme", ["pre_ln", "mix_ln", "peri_ln", "ngpt", "sqrt", "ln_scaling"])
def test_every_scheme_runs_and_its_laws_and_identities_hold(scheme):
    found = run(scheme=scheme, beta=1.0).summary
    judged = [judge(claim, found) for claim in EXPERIMENT.claims]
    measured = {j.claim.name: j.verdict for j in judged if j.verdict != "not measured"}
    ends = [name for name in measured if "_end_" in name]
    assert len(ends) == 2 and {measured[name] for name in (*ends, *EXACT)} == {"holds"}


def test_crossing_is_compared_with_the_theorem_only_where_orthonormal_tokens_fit(result):
    assert "start_shift" in result.summary
    below = run(dimension=4, beta=1.0).summary
    assert "start_shift" not in below and "crossing_ratio" in below


def test_a_start_that_never_crosses_leaves_out_what_it_hides():
    found = run(dimension=2, beta=9.0, horizon=1.0)
    collapsed = found.summary["collapsed"]
    assert isinstance(collapsed, Estimate) and collapsed.value < 1
    assert found.notes["never_crossed"] > 0 and "crossing_width" not in found.summary


def test_depths_beyond_what_a_float_holds_are_left_out():
    found = run(scheme="pre_ln", beta=10.0, dimension=64).summary
    assert "predicted_depth" not in found and "crossing_ratio" in found


def test_a_batch_of_temperatures_and_seeds_equals_the_runs_alone():
    cfgs = [sizes(beta=beta) for beta in (1.0, 5.0, 1.0)]
    keys = jax.vmap(jax.random.key)(np.array([0, 0, 7]))
    batch = many(cfgs, keys, silent_journal())
    for cfg, key, together in zip(cfgs, keys, batch, strict=True):
        alone = EXPERIMENT.run(cfg, key, silent_journal())
        for name, value in alone.arrays.items():
            if value.dtype.kind == "f":  # times, gaps, shares, crossings: rounding apart
                np.testing.assert_allclose(together.arrays[name], value, rtol=1e-8, atol=1e-16)
        assert together.summary.keys() == alone.summary.keys()
        for name, value in alone.summary.items():
            np.testing.assert_allclose(together.summary[name], value, rtol=1e-8, atol=1e-10)


def test_named_sweep_names_settings_and_numbers_that_exist(result):
    named = yaml.safe_load((CONFIGS / "sweep/particles_phase_diagram.yaml").read_text())
    swept = set(named["hydra"]["sweeper"]["params"])
    assert set(named["table"]["rows"]) | {named["table"]["repeats"]} == swept
    assert swept - {"seed"} <= set(Phase.model_fields)
    assert set(named["table"]["show"]) <= set(result.summary)


def test_figures_draw(result):
    for shown in (result, run(scheme="mix_ln", dimension=4)):
        figures = EXPERIMENT.figures(shown)
        assert set(figures) == {"collapse", "approach"}
        for figure in figures.values():
            figure.canvas.draw()


def test_phase_map_needs_two_temperatures_and_averages_seeds(result):
    other = run(beta=1.0)
    runs = [(sizes(), result), (sizes(), result), (sizes(beta=1.0), other)]
    assert EXPERIMENT.reduce is not None and EXPERIMENT.reduce(runs[:2]) == {}
    maps = EXPERIMENT.reduce(runs)
    assert list(maps) == ["phase_map_post_ln"] and isinstance(maps["phase_map_post_ln"], Figure)
    maps["phase_map_post_ln"].canvas.draw()


def test_phase_map_shows_the_shares_that_runs_measured(result):
    mesh = sweep_figures.phase_map([(sizes(), result), (sizes(beta=1.0), run(beta=1.0))]).axes[0]
    shares = np.asarray(mesh.collections[0].get_array()).reshape(2, -1)
    times = np.geomspace(1.0, result.arrays["own_times"][-1], shares.shape[1])
    expected = np.interp(times, result.arrays["own_times"], result.arrays["pairs_met"].mean(axis=0))
    np.testing.assert_allclose(shares[1], expected)  # beta = 5 lies above beta = 1
