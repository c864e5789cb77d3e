"""What this machine has, and how busy others keep it; asks nothing of jax.

Importing this module imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path
from typing import NamedTuple


def cores() -> list[int]:
    """Numbers of the cores this process may run on (its affinity mask where there is one)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def accelerators() -> list[str]:
    """Numbers of the NVIDIA GPUs that this process may use, without starting jax."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name.strip() not in ("", "-1")]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


def free_memory() -> float:
    """GiB of memory that can be had without swapping; infinite where Linux does not say."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return int(next(x for x in lines if x.startswith("MemAvailable")).split()[1]) / 2**20
    return math.inf


class Clock(NamedTuple):
    """Seconds of processor time spent by the whole machine and by this process, and of the wall."""

    machine: float
    own: float
    wall: float


def clock() -> Clock | None:
    """The clock now; None where there is no /proc/stat. Ended children count as this process."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return Clock(busy, sum(os.times()[:4]), time.monotonic())


def other_load(since: Clock | None = None, *, window: float = 0.2) -> float | None:
    """Share of the machine that other processes used since a clock, or in the next `window` s."""
    if since is None:
        since = clock()
        time.sleep(window)
    now = clock()
    if since is None or now is None:
        return None
    others = (now.machine - since.machine) - (now.own - since.own)
    return max(0.0, others / (now.wall - since.wall) / (os.cpu_count() or 1))
