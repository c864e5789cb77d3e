"""Installed from a wheel, away from the checkout, feedrun brings configs and assets along."""

import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests import children

ROOT = Path(__file__).parent.parent
OWN = Path(__file__).parent / "own"


@pytest.mark.slow
def test_wheel_holds_configs_and_assets_and_runs(tmp_path):
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    built = children.run([*pip, "wheel", "--no-deps", "-w", tmp_path, ROOT])
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("feedrun-*.whl")
    claims = {str(path.relative_to(ROOT)) for path in ROOT.glob("feedrun/papers/*/*/claims.yaml")}
    assert len(claims) >= 16 and claims <= set(zipfile.ZipFile(wheel).namelist())
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    installed = children.run([*pip, "install", "--no-deps", "--target", site, wheel])
    assert installed.returncode == 0, installed.stderr
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import feedrun.cli as c;"
    code += f"assert c.__file__.startswith({str(site)!r}); sys.exit(c.main())"

    def feedrun(*words):
        env = os.environ | {"PYTHONPATH": f"{site}:{OWN}"}
        done = children.run([sys.executable, "-c", code, *words], work, env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    words = ["--config-dir", str(OWN / "conf"), "experiment=lab", "wandb=disabled", "-q"]
    assert "SGD finds the line" in feedrun(*words)
    assert "1 complete" in feedrun("compare", "outputs")
    assert "uPlot" in (work / "compare.html").read_text(encoding="utf-8")
