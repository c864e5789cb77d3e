"""The ablation's contrasts on planted matrices, its figures on made records, a run end to end."""

import jax
import numpy as np
import pytest
from pydantic import ValidationError

from feedrun.experiment import Result, judge, silent_journal
from feedrun.papers.ssm_icl.ablation import contrasts, sweep_figures
from feedrun.papers.ssm_icl.ablation import figures as ablation_figures
from feedrun.papers.ssm_icl.ablation.experiment import EXPERIMENT, Ablation
from tests.configs import config, own

SEEDS = np.array([-1.0, 0.0, 1.0])


def planted(*, conv, decay, selectivity, interaction=0.0):
    """Cells of an additive matrix, with what an arm with both ingredients gains on top.

    The seeds differ by what all arms share, and all effects grow by 1% with the seed.
    """
    scale, cells = 1 + 0.01 * SEEDS, {}
    for rung, name in enumerate(contrasts.LADDER):
        gain = decay * (rung > 0) + selectivity * (rung > 1)
        cells[name] = 5 + SEEDS - scale * gain
        cells[name + "+conv"] = cells[name] - scale * (conv + interaction * (rung > 1))
    return cells


def test_effects_of_an_additive_matrix_are_those_it_was_made_of():
    found = contrasts.effects(planted(conv=0.3, decay=0.1, selectivity=0.2))
    expected = {
        "effect/conv": 0.3,
        "effect/decay": 0.1,
        "effect/selectivity": 0.2,
        "effect/selectivity_with_conv": 0.2,
        "effect/selectivity_without_conv": 0.2,
        "effect/conv_by_decay": 0.0,
        "effect/conv_by_selectivity": 0.0,
        "effect/conv_minus_selectivity": 0.1,
        "effect/conv_minus_transition": 0.0,
        "gap/ssd_minus_ssd+conv": 0.3,
        "gap/ssd_minus_s_none+conv": 0.0,
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value * (1 + 0.01 * SEEDS), atol=1e-12)


def test_an_interaction_is_told_from_the_main_effects_and_shared_between_them():
    found = contrasts.effects(planted(conv=0.3, decay=0, selectivity=0, interaction=0.6))
    assert np.mean(found["effect/conv_by_selectivity"]) == pytest.approx(0.6)
    assert np.mean(found["effect/conv"]) == pytest.approx(0.3 + 0.6 / 3)
    assert np.mean(found["effect/selectivity"]) == pytest.approx(0.3)
    assert np.mean(found["effect/selectivity_without_conv"]) == pytest.approx(0.0)


@pytest.mark.parametrize("metric", contrasts.CONTRASTS)
def test_contrasts_do_not_see_what_all_arms_share(metric):
    assert sum(contrasts.CONTRASTS[metric].values()) == pytest.approx(0)


def test_a_contrast_is_left_out_where_an_arm_is_missing_or_has_other_seeds():
    cells = planted(conv=0.3, decay=0.1, selectivity=0.2)
    del cells["s_none"]
    cells["ssd"] = cells["ssd"][:2]
    assert set(contrasts.effects(cells)) == {"effect/selectivity_with_conv"}


def test_every_claim_is_measured_by_the_arms_of_the_yaml():
    full = own("icl_ablation")["arms"]
    known = contrasts.effects({name: SEEDS for name in full})
    assert {c.metric for c in EXPERIMENT.claims} - set(known) == {"leak_z", "leak_position_z"}


def record(name, values, *, family="lg4", mark=0.0):
    """A run of one arm, its excess flat over 8 positions."""
    lines = {f"line_{line}": np.full(8, 0.1) for line in ablation_figures.LINES[family]}
    arrays = {
        "family": np.array(family),
        "arms": np.array([name]),
        "excess": np.repeat(np.asarray(values)[None, :, None], 8, axis=2),
        "last": np.array(7),
        "mark": np.array(mark),
        **lines,
    }
    return Result({}, arrays)


def test_a_sweeps_cells_are_paired_by_their_exams_in_whatever_order_the_runs_come():
    runs = [
        record("ssd", [3.0, 4.0], mark=1.0),
        record("s_fixed", [1.5, 2.5], mark=0.0),
        record("s_fixed", [3.5, 4.5], mark=1.0),
        record("ssd", [1.0, 2.0], mark=0.0),
    ]
    cells = ablation_figures.matrix(runs).cells
    found = contrasts.effects(cells)["effect/selectivity_without_conv"]
    np.testing.assert_allclose(found, 0.5)


def test_a_sweep_is_drawn_as_one_matrix_with_a_panel_a_family():
    cells = planted(conv=0.3, decay=0.1, selectivity=0.2) | {"softmax+rope": 4 + 0.1 * SEEDS}
    results = [
        (
            config("icl_ablation", "smoke", family=family, arms=name),
            record(name, values, family=family),
        )
        for family in ("lg4", "coloured_shift")
        for name, values in cells.items()
    ]
    figures = sweep_figures.sweep_figures(results)
    assert set(figures) == {"gap_matrix", "effects"}
    assert len(figures["gap_matrix"].axes) == 2
    texts = [text.get_text() for text in figures["gap_matrix"].axes[0].texts]
    assert len(texts) == len(cells) and any(text.startswith("4.000 ± ") for text in texts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"at": [3, 8]}, "below length=8"),
        ({"at": [7, 3]}, "must rise"),
        ({"arms": ["ssd", "ssd"]}, "every arm once"),
        ({"arms": "sdd"}, "no mixer 'sdd'"),
        ({"family": "lg5"}, "did you mean lg4"),
    ],
)
def test_bad_settings_are_one_clear_line(changes, message):
    with pytest.raises(ValidationError, match=message):
        Ablation(**own("icl_ablation", "smoke") | changes)


@pytest.mark.slow
def test_a_run_measures_every_claim_and_draws():
    arms = ["s_none", "s_fixed", "ssd", "s_none+conv", "s_fixed+conv", "ssd+conv", "s4d+conv"]
    cfg = config("icl_ablation", "smoke", arms=arms)
    done = EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    for name, value in done.summary.items():
        assert np.isfinite(value).all(), name
    assert {claim.metric for claim in EXPERIMENT.claims} <= set(done.summary)
    verdicts = {claim.name: judge(claim, done.summary).verdict for claim in EXPERIMENT.claims}
    assert verdicts["no_arm_beats_the_genie"] == "holds"
    figures = EXPERIMENT.figures(done)
    assert set(figures) == {"gap_matrix", "effects", "excess_by_step", "excess_by_context"}
    for figure in figures.values():
        figure.canvas.draw()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["coloured_lag", "coloured_shift"])
def test_one_arm_on_coloured_noise_has_its_numbers_without_the_name(family):
    cfg = config("icl_ablation", "smoke", arms="ssd+conv", family=family)
    done = EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    assert done.summary["excess_7"] == done.summary["ssd+conv/excess_7"]
    assert done.notes["chance"]["excess_7"] > 0
