"""Where a record came from: code, versions, device, process settings: the content of run.json."""

import contextlib
import functools
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import feedrun
from feedrun.records import store
from feedrun.runner.config import Request

PACKAGES = ("feedrun", "jax", "jaxlib", "flax", "optax", "numpy", "scipy", "hydra-core", "wandb")


def describe(
    request: Request, folder: Path, process: Mapping[str, Any], batch: int
) -> dict[str, Any]:
    """The content of run.json: all that one would want to know to do it again.

    `batch`: how many runs share its program (1: it runs alone).
    """
    import jax

    old = folder / "run.json"
    before = store.read_json(old) if old.exists() else {}
    device = jax.devices()[0]
    git, diff = code_state(Path(feedrun.__file__).parent)
    if diff:
        store.write_whole(folder / "code.diff", lambda part: part.write_text(diff))
    return {
        "id": request.config_id,
        "experiment": request.name,
        "paper": request.settings.about.paper,
        "scale": request.settings.scale,
        "seed": request.settings.seed,
        "target": request.target,
        "config": request.config,
        "overrides": request.overrides,
        "sweep": request.sweep,
        "batch": batch,
        "code": git,
        "versions": versions(),
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
        },
        "machine": {"system": platform.platform(terse=True), "cores": len(os.sched_getaffinity(0))},
        "x64": request.experiment.x64,
        "process": dict(process),
        "started": before.get("started", store.now()),
        "resumed": [*before.get("resumed", []), store.now()] if before else [],
    }


@functools.cache
def versions() -> dict[str, str]:
    """Python and the packages that matter."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@functools.cache
def code_state(place: Path) -> tuple[dict[str, Any], str]:
    """({"sha", "dirty"}, diff) of the git checkout around `place`; sha None outside of one.

    Asked once a process: it imported its code once, whatever happens to the files later.
    """

    def git(*words: str) -> str:
        done = subprocess.run(("git", "-C", str(place), *words), capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        sha, changed = git("rev-parse", "HEAD"), git("status", "--porcelain")
        diff = git("diff", "HEAD") if changed else ""
    except OSError:  # no git on this machine
        sha = changed = diff = ""
    return {"sha": sha or None, "dirty": bool(changed)}, diff
