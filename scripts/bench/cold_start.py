"""A sweep job as a whole process, with the compile cache warm, without it, and in torch."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.bench.case import Case, Contestant, Gate

ROOT = Path(__file__).parents[2]
TORCH = """
import torch
net = torch.nn.Sequential(torch.nn.Linear(784, 50), torch.nn.ReLU(), torch.nn.Linear(50, 50),
                          torch.nn.ReLU(), torch.nn.Linear(50, 10))
optimizer = torch.optim.Adam(net.parameters())
for _ in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(torch.randn(50, 784)), torch.zeros(50).long())
    loss.backward()
    optimizer.step()
print(float(loss))
"""


def cases() -> list[Case]:
    """One case; its error is the difference between what the processes print."""
    contestants = {
        "feedrun, warm cache": Contestant(lambda folder: _job(folder, "cache")),
        "no cache": Contestant(lambda folder: _job(folder, "plain")),
        "torch": Contestant(_torch, ("torch",), note="import and the same training, no scan"),
    }
    gates = (Gate("seconds", at_most=1.5), Gate("no cache", at_least=2))
    sizes = {"steps": 20, "scan": 1024}
    return [
        Case("one sweep job, process start to end", sizes, _folder, contestants, _error, 1e-6,
             gates=gates)
    ]  # fmt: skip


def _folder(seed: int) -> dict[str, Any]:
    """An empty cache folder (removed with this object) and what the first process printed."""
    return {"folder": tempfile.TemporaryDirectory(), "printed": None}


def _job(inputs: dict[str, Any], cache: str) -> Callable[[], list[float]]:
    command = [sys.executable, "-m", "scripts.bench.job", cache]
    return lambda: _numbers(command, XDG_CACHE_HOME=inputs["folder"].name)


def _torch(inputs: dict[str, Any]) -> Callable[[], list[float]]:
    return lambda: _numbers([sys.executable, "-c", TORCH])


def _numbers(command: list[str], **environment: str) -> list[float]:
    """What a process prints, as numbers; it inherits no set-up of ours."""
    ours = {"FEEDRUN_SET", *os.environ.get("FEEDRUN_SET", "").split()}
    clean = {k: v for k, v in os.environ.items() if k not in ours} | environment
    done = subprocess.run(
        command, cwd=ROOT, env=clean, capture_output=True, text=True, check=True, timeout=300
    )
    return [float(word) for word in done.stdout.split()]


def _error(inputs: dict[str, Any], output: list[float], contestant: Contestant) -> float:
    """Relative difference to the first process's numbers; torch draws others."""
    if contestant.needs:
        return 0.0
    inputs["printed"] = first = inputs["printed"] or output
    return max(abs(a - b) / abs(b) for a, b in zip(output, first, strict=True))
