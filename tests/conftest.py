"""The switches of the test suite: float64, no silent broadcasting, no key used twice, quick XLA."""

import contextlib
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import jax
import pytest
import yaml

from tests import children

OWN = Path(__file__).parent / "own"

QUICK = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
"""Compiles in a fifth to a half of the time what may then run five times as long: small sizes."""

hypothesis.settings.register_profile(
    "no clock", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("no clock")


def pytest_configure(config):
    """Fast tests mostly compile; slow ones run long, with the flags that users get."""
    own = os.environ.get("XLA_FLAGS", "")
    if config.option.markexpr == "not slow" and "optimization_level" not in own:
        os.environ["XLA_FLAGS"] = f"{own} {QUICK}".strip()
    import feedrun  # noqa: F401  (before a test module is read: what it computes starts jax)

    with contextlib.suppress(ImportError):
        # It configures logging anew when it is imported, which closes absl's handler and with it
        # the stream that pytest gave to an earlier test.
        import submitit  # noqa: F401


@pytest.fixture(autouse=True, scope="session")
def strict_jax(tmp_path_factory):
    """Turn on x64, raising rank promotion and key-reuse checks, and a shared compile cache."""
    from feedrun.runtime import setup

    setup.compilation_cache(setup.cache_folder() / "tests")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture(autouse=True)
def children_end_with_their_test():
    """No process that a test has started outlives it, whether it passes or not."""
    yield
    children.end_all()


class Smoke(NamedTuple):
    """One experiment at scale=smoke, as the runner left it."""

    request: Any
    record: Any

    @property
    def result(self):
        """The result, with its arrays, as the record keeps it."""
        from feedrun.runner import conclude

        return conclude.result(self.record.folder)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory, worker_id):
    """smoke(name): an experiment run at scale=smoke by the real runner, once for all workers."""
    from feedrun.runner import execute
    from tests.configs import request

    alone = worker_id == "master"
    here = tmp_path_factory.getbasetemp() if alone else tmp_path_factory.getbasetemp().parent

    @cache
    def made(name):
        asked = request(name, "smoke", outputs=str(here / "smoke"), quiet=True)
        (outcome,) = execute.execute([asked], sinks=list, say=lambda line: None)
        return Smoke(asked, outcome.record)

    return made


@pytest.fixture
def request_of(tmp_path, monkeypatch):
    """Build the request of the lab experiment, as the command line would, with some changes."""
    from feedrun.runner import config
    from feedrun.runner.config import RunSpec

    monkeypatch.syspath_prepend(str(OWN))
    root = yaml.safe_load((OWN.parent.parent / "configs/config.yaml").read_text())
    lab = yaml.safe_load((OWN / "conf/experiment/lab.yaml").read_text())
    base = {k: v for k, v in root.items() if k not in ("defaults", "hydra")} | lab
    base |= {"scale": "laptop", "outputs": str(tmp_path), "data_folder": "data", "steps": 20}
    yield lambda **changes: config.request(RunSpec(base | changes, "lab", []))
    sys.modules.pop("lab", None)
