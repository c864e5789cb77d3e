"""icl_oracles end to end at its smoke size."""

from pathlib import Path

import jax
import numpy as np
import pytest
import yaml

import feedrun
from feedrun.experiment import judge, silent_journal
from feedrun.papers.ssm_icl.oracles import linear_gaussian
from feedrun.papers.ssm_icl.oracles.experiment import EXPERIMENT, Checks

pytestmark = pytest.mark.slow  # what it compiles takes a minute where nothing is cached

CONFIGS = Path(feedrun.__file__).parent.parent / "configs"
EXACT = (
    "kalman_is_conditioning",
    "fast_kalman_is_conditioning",
    "associative_is_sequential",
    "riccati_table",
    "cell_is_filter",
    "gap_identity",
    "order_blind_table",
)


def sizes(scale=None):
    cfg = yaml.safe_load((CONFIGS / "experiment/icl_oracles.yaml").read_text())
    del cfg["_target_"], cfg["about"]
    small = (
        yaml.safe_load((CONFIGS / f"scale/icl_oracles/{scale}.yaml").read_text()) if scale else {}
    )
    return cfg | {k: cfg[k] | v if isinstance(v, dict) else v for k, v in small.items()}


@pytest.fixture(scope="module")
def result():
    return EXPERIMENT.run(Checks(**sizes("smoke")), jax.random.key(0), silent_journal())


def test_summary_is_finite_and_exact_claims_hold(result):
    for name, value in result.summary.items():
        assert np.isfinite(value).all(), name
    verdicts = {claim.name: judge(claim, result.summary).verdict for claim in EXPERIMENT.claims}
    assert {verdicts[name] for name in EXACT} == {"holds"}


def test_what_a_smoke_run_leaves_out_is_only_what_its_sizes_do_not_reach(result):
    missing = {claim.metric for claim in EXPERIMENT.claims} - set(result.summary)
    assert missing <= {"markov_rate_3"}


def test_figures_draw(result):
    figures = EXPERIMENT.figures(result)
    assert len(figures) == 6
    for figure in figures.values():
        figure.canvas.draw()


def test_a_table_s_deviation_is_in_joint_standard_errors():
    excess = np.random.default_rng(0).standard_normal((400, 6)) + 3.0
    own = excess[:, 2].std(ddof=1) / 20
    expected = abs(excess[:, 2].mean() - 2.5) / np.hypot(own, 0.1)
    found = linear_gaussian.table_z(excess, {2: (2.5, 0.1), 50: (0.0, 0.1)})
    assert found == pytest.approx(expected)
    assert linear_gaussian.table_z(excess, {50: (0.0, 0.1)}) is None


@pytest.mark.slow
def test_claims_hold_at_full_size():
    done = EXPERIMENT.run(Checks(**sizes()), jax.random.key(0), silent_journal())
    verdicts = {claim.name: judge(claim, done.summary).verdict for claim in EXPERIMENT.claims}
    # Tables of fewer draws than these runs: their own errors exceed the bounds (see the docs).
    known = {"ladder", "bank_converged", "dr_table"}
    assert {name for name, verdict in verdicts.items() if verdict == "fails"} <= known
