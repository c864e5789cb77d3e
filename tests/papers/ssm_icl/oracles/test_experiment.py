"""icl_oracles: exact claims at any size, all of them at full size."""

import jax
import numpy as np
import pytest

from feedrun.experiment import judge, silent_journal
from feedrun.papers.ssm_icl.oracles import linear_gaussian
from feedrun.papers.ssm_icl.oracles.experiment import EXPERIMENT
from tests.configs import config

EXACT = (
    "kalman_is_conditioning",
    "fast_kalman_is_conditioning",
    "associative_is_sequential",
    "riccati_table",
    "cell_is_filter",
    "gap_identity",
    "order_blind_table",
)


def test_exact_claims_hold_at_smoke_size(smoke):
    result = smoke("icl_oracles").result
    verdicts = {claim.name: judge(claim, result.summary).verdict for claim in EXPERIMENT.claims}
    assert {verdicts[name] for name in EXACT} == {"holds"}


def test_a_table_s_deviation_is_in_joint_standard_errors():
    excess = np.random.default_rng(0).standard_normal((400, 6)) + 3.0
    own = excess[:, 2].std(ddof=1) / 20
    expected = abs(excess[:, 2].mean() - 2.5) / np.hypot(own, 0.1)
    found = linear_gaussian.table_z(excess, {2: (2.5, 0.1), 50: (0.0, 0.1)})
    assert found == pytest.approx(expected)
    assert linear_gaussian.table_z(excess, {50: (0.0, 0.1)}) is None


@pytest.mark.slow
def test_claims_hold_at_full_size():
    done = EXPERIMENT.run(config("icl_oracles"), jax.random.key(0), silent_journal())
    verdicts = {claim.name: judge(claim, done.summary).verdict for claim in EXPERIMENT.claims}
    # Tables of fewer draws than these runs: their own errors exceed the bounds (see the docs).
    known = {"ladder", "bank_converged", "dr_table"}
    assert {name for name, verdict in verdicts.items() if verdict == "fails"} <= known
