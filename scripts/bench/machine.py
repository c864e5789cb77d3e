"""What a measurement depends on besides the code measured: versions, processor, set-up, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("jax", "jaxlib", "optax", "numpy", "torch", "backpack-for-pytorch",
             "curvlinops-for-pytorch", "mambapy")  # fmt: skip
TELLING = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "fma", "asimd", "sve")
"""Processor flags that decide which matrix kernels run."""


def describe(setup: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of this kind as JSON."""
    import jax

    return {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
        "processor": _processor(),
        "cores": os.cpu_count(),
        "devices": [str(device) for device in jax.devices()],
        "environment": {name: os.environ.get(name) for name in ("XLA_FLAGS", "OMP_NUM_THREADS")},
        "setup": dict(setup),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> dict[str, Any]:
    """Model name and telling flags, where /proc/cpuinfo says."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {"model": platform.processor(), "flags": []}
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    return {
        "model": fields.get("model name", platform.machine()),
        "flags": [flag for flag in TELLING if flag in flags],
    }


def _git(*words: str) -> str | None:
    command = ["git", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip() if done.returncode == 0 else None
