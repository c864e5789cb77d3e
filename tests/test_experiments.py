"""Every experiment, once, through the real runner at its smoke scale; and the ids of commands."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from feedrun.records import store
from feedrun.report.verdicts import verdict_table
from tests.configs import CONFIGS, EXPERIMENTS, request, swept

RECORDS = CONFIGS.parent / "docs" / "records"

IDS = {
    "icl_ablation": "c5dcc4c0560b",
    "icl_diversity": "682d87d777e4",
    "icl_lgssm": "faa1b1f6d8d2",
    "icl_markov": "dd1340693775",
    "icl_noise": "767b19686fb8",
    "icl_oracles": "b28b8d2b524a",
    "icl_probe": "d1624d6b21ab",
    "icl_shift": "c8d35f504174",
    "noise_power_law": "260d1f660069",
    "particles_clustering": "00a6baddae12",
    "particles_phase": "071535b2d976",
    "slay_kernel": "522d13fb3f8b",
    "slay_lm": "02ec15fdc591",
    "slay_lra": "ecaa8a9061dd",
    "slay_speed": "5fcc4edb2e08",
    "slay_synthetic": "643db3728b46",
}
"""Of `feedrun experiment=NAME`. An id that changes orphans every record made before."""

SWEEPS = sorted(path.stem for path in (CONFIGS / "sweep").glob("*.yaml"))

NOT_MEASURED = {
    "icl_ablation": """
        selectivity_helps selective_beats_time_invariant convolution_helps
        without_convolution_ssd_stalls convolution_exceeds_selectivity
        convolution_exceeds_transition convolved_linear_attention_beats_selection
    """,
    "icl_diversity": """
        rival_few_tasks_library rival_few_tasks_new rival_many_tasks_new rival_tasks_teach
    """,
    "icl_lgssm": """
        finite_optimal finite_falls price_of_learning softmax_conv_as_good softmax_as_good
        linear_conv_as_good linear_worse convolution_in_ssm convolution_before_mixer
        selection_pays order_blind_floor order_by_convolution order_by_positions
        invariant_suffices complex_pair_filters real_poles_do_not more_poles_help
        convolution_helps second_layer_helps speed_with_convolution speed_with_convolution_ar2
        speed_without_convolution_ar1 extrapolates
    """,
    "icl_markov": """
        one_layer_without_conv mc3_lower_with_conv mc3_faster_with_conv mc3_lower_without_conv
        mc3_faster_without_conv switching_lower_with_conv switching_faster_with_conv
        convolution_outweighs_selection softmax_as_low extrapolates
    """,
    "icl_noise": """
        ssm_below_proper ssm_reaches_target linear_below_proper ssm_below_softmax
        ssm_below_linear noise_separates_softmax noise_separates_linear selection_is_special
        format_decides unknown_correlation placebo placebo_anywhere control_is_ridge
        control_separates_nothing ssm_uses_context softmax_uses_context no_decay_loses_context
    """,
    "icl_oracles": """
        markov_rate_3
    """,
    "icl_probe": """
        ssm_tracks_better_than_linear ssm_tracks_better_than_linear_plain
        linear_reads_the_signal modes_are_tracked_better_than_by_linear
        linear_influence_beyond_the_convolution
    """,
    "icl_shift": """
        slow_keeps_the_prior noisy_keeps_the_prior switch_keeps_the_prior
        rougher_keeps_the_prior
    """,
    "noise_power_law": """
        fits_under_softmax_mse fits_under_logit_mse linear_under_softmax_mse matches_supplement
    """,
    "particles_phase": """
        root_end_tokens root_end_model square_end_tokens square_end_model inverse_end_tokens
        inverse_end_model
    """,
    "slay_kernel": """
        orthogonal_gain_16 orthogonal_gain_64 negative_slay_tensor_sketch closest_to_softmax
        few_features_hurt many_features_pay ablation_medium ablation_uniform_medium
        ablation_large ablation_uniform_large
    """,
    "slay_lm": """
        softmax_beats_slay slay_beats_favor_relu slay_beats_favor slay_beats_elu
        slay_beats_cosformer slay_beats_square slay_beats_uniform ours_beats_slay
        ours_beats_softmax
    """,
    "slay_lra": """
        attention_is_needed slay_like_yat slay_over_performer slay_over_favor
        slay_over_cosformer uniform_as_good_as_slay square_over_slay ours_over_slay
        ours_like_softmax state_space_over_softmax
    """,
    "slay_speed": """
        slay_is_linear softmax_is_quadratic memory_ignores_features overtakes_a_lean_softmax
        only_the_matrix_was_long nearer_gaussian nearer_correlated
    """,
    "slay_synthetic": """
        copy_is_given_away parity_is_given_away modular_is_given_away long_copy_is_given_away
        multihop_is_given_away retrieval_is_given_away selective_copy_is_given_away
        bigram_is_given_away histogram_is_given_away stack_is_given_away induction_is_given_away
        pattern_is_given_away noisy_copy_is_given_away compression_is_given_away
        reverse_favor_relu reverse_elu reverse_slay_minus_favor_relu_positive
        reverse_favor_relu_minus_elu_positive pairs_slay_minus_favor_relu_x1_positive
        pairs_slay_minus_favor_relu_x4_positive pairs_ours_minus_slay_x1_positive
        pairs_ours_minus_slay_x4_positive pairs_ours_minus_softmax_x1_positive
        pairs_ours_minus_softmax_x4_positive needle_slay_minus_favor_relu_x1_positive
        needle_slay_minus_favor_relu_x4_positive needle_ours_minus_slay_x1_positive
        needle_ours_minus_slay_x4_positive needle_ours_minus_softmax_x1_positive
        needle_ours_minus_softmax_x4_positive duplicate_slay_minus_favor_relu_x1_positive
        duplicate_slay_minus_favor_relu_x4_positive duplicate_ours_minus_slay_x1_positive
        duplicate_ours_minus_slay_x4_positive duplicate_ours_minus_softmax_x1_positive
        duplicate_ours_minus_softmax_x4_positive
    """,
}
"""Claims that a smoke run has not the arms, losses, lengths or steps for; no others."""

BY_THE_CLOCK = {"overtakes_softmax", "overtakes_a_lean_softmax"}
"""Measured where the times of so short sequences happen to cross."""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_and_its_record_is_whole(name, smoke):
    asked, done = smoke(name)
    for metric, value in smoke(name).result.summary.items():
        assert np.isfinite(value).all(), metric
    assert [row["name"] for row in done.claims] == [c.name for c in asked.experiment.claims]
    missing = {row["name"] for row in done.claims if row["verdict"] == "not measured"}
    assert missing ^ set(NOT_MEASURED.get(name, "").split()) <= BY_THE_CLOCK
    drawn = list((done.folder / "figures").iterdir())
    assert drawn and all(path.stat().st_size > 1000 for path in drawn)
    again = store.load(done.folder)
    assert again.summary == done.summary and again.run["id"] == asked.config_id
    page = io.StringIO()
    Console(width=120, file=page).print(verdict_table(done))
    assert all(word in page.getvalue() for word in done.claims[0]["statement"].split()[:3])


def test_the_ids_of_the_commands_never_change():
    assert {name: request(name).config_id for name in EXPERIMENTS} == IDS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_published_record_is_what_its_command_returns_today(name):
    run = json.loads((RECORDS / name / "run.json").read_text())
    again = request(name, run["scale"], seed=run["seed"])
    assert (run["id"], run["config"]) == (again.config_id, again.config)


@pytest.mark.parametrize("name", SWEEPS)
def test_a_published_sweep_has_the_runs_of_its_command_today(name):
    content = json.loads((RECORDS / name / "runs.json").read_text())
    again = [request.config_id for request in swept(name)]
    assert sorted(one["run"]["id"] for one in content["runs"]) == sorted(again)
