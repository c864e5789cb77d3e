"""A one-node SLURM cluster for the tests in this folder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import cluster  # pyright: ignore[reportMissingImports]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """SLURM_CONF points at a running cluster; skipped, with the reason, where there can be none."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install -e '.[slurm]'")
    reason = cluster.missing()
    if reason:
        pytest.skip(f"no SLURM here: {reason}")
    with cluster.running(tmp_path_factory.mktemp("slurm")):
        yield
