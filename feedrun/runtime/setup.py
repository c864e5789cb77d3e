"""Set up the process before jax starts: compile cache, host devices, malloc, matmul precision.

Used by every command and benchmark, so that a benchmark measures what users get. Importing this
module imports nothing but the standard library. What the user already chose in the environment
(JAX_*, XLA_FLAGS, MALLOC_*) is left alone and reported as refused.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from feedrun.runtime import distributed as hosts
from feedrun.runtime import machine

OURS = "FEEDRUN_SET"
"""Environment variable that lists the variables set here: those a later set-up may change."""

CACHE = "JAX_COMPILATION_CACHE_DIR"
THRESHOLDS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": 0.0,
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": -1,
}
"""Keep every program: jax's defaults skip what compiles in under a second, most of ours."""

DEVICES = "JAX_NUM_CPU_DEVICES"
FORCED_DEVICES = re.compile(r"--xla_force_host_platform_device_count=(\d+)")
"""The older way to the same end, which users may have chosen."""

FUSION, FAULTY = "--xla_cpu_experimental_ynn_fusion_type", ("0.10.2", "0.11.0")
"""The fusion that makes these releases of jaxlib sum products wrongly (jax issue 39103)."""

EFFORT = "--xla_backend_optimization_level"
"""How hard XLA's code generator tries, 3 unless it is told otherwise."""

ACCELERATORS = ("jax_plugins", "libtpu")
"""Packages that are there only where jax can use more than CPUs."""

PRECISION = "JAX_DEFAULT_MATMUL_PRECISION"

PR_SET_PDEATHSIG = 1
"""prctl(2)."""

TUNABLES, HUGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"
"""Large buffers in huge pages. Every fresh one above 32 MiB is mapped anew, and the kernel clears
it page by page. (One arena that keeps them spares that too, by mallopt, but several threads then
wait for each other at every small allocation: training took half as long again.)"""

HUGE_PAGES_OFFERED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def setup(
    *,
    cache: bool,
    devices: int | Literal["auto"],
    malloc: bool,
    precision: str,
    distributed: str | Literal[False] = False,
) -> dict[str, Any]:
    """Choose what must be chosen before jax starts; returns what holds, for `run.json`.

    cache: keep compiled programs in `cache_folder() / "jax"`. devices: host CPU devices, "auto"
    is one a usable core. malloc: large buffers in huge pages, see `restart`. precision: of
    matmuls on accelerators, "default" leaves it to jax; host CPUs multiply float32 in full anyway.
    distributed: where the processes of one run meet, see `distributed.join`, which may raise.
    The entry "refused" says for each choice that could not be made why. Once jax has been imported
    cache and precision can still be set; once it has computed, devices cannot.
    """
    outcomes = {
        "cache": compilation_cache(cache_folder() / "jax") if cache else _leave(CACHE),
        "devices": _choose(DEVICES, len(machine.cores()) if devices == "auto" else devices),
        "malloc": _malloc(malloc),
        "precision": _leave(PRECISION) if precision == "default" else _choose(PRECISION, precision),
    }
    held = {
        "cache": os.environ.get(CACHE),
        "devices": _host_devices(),
        "malloc": _tuned(),
        "precision": os.environ.get(PRECISION, "default"),
        "processes": hosts.join(distributed) if distributed else 1,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }
    return held | {"refused": {k: why for k, why in outcomes.items() if why is not None}}


def cache_folder() -> Path:
    """feedrun's part of the user's cache folder: XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "feedrun"


def compilation_cache(folder: Path) -> str | None:
    """Keep every compiled program in `folder`, jax imported or not; returns why not, if not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"cannot write to {folder}: {error.strerror}"
    if why := _choose(CACHE, str(folder)):
        return why
    for name, value in THRESHOLDS.items():
        _choose(name, value)
    return None


def sound_sums() -> None:
    """Turn off a fusion of sums where jaxlib has it wrong on CPUs; before jax starts."""
    if metadata.version("jaxlib") in FAULTY:
        _flag(FUSION, "-reduce")


def quick_compiling() -> None:
    """Compile in three quarters of the time where there are only CPUs; before jax starts.

    Level 1 of XLA's code generator; what it makes was as fast in our benchmarks, some faster, some
    slower, none by as much as compiling costs in a run of minutes.
    """
    if not any(find_spec(name) for name in ACCELERATORS):
        _flag(EFFORT, "1")


def _flag(name: str, value: str) -> None:
    """Set a flag of XLA's that the user has not set."""
    flags = os.environ.get("XLA_FLAGS", "")
    if name not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {name}={value}".strip()


def die_with(parent: int) -> None:
    """Get SIGTERM when the parent process ends, however it ends (Linux)."""
    if sys.platform != "linux":
        return
    # A parent killed with SIGKILL cannot end its children: the kernel has to do it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before we could say so
        raise SystemExit


def _choose(name: str, value: Any) -> str | None:
    """Set a jax option in the environment and, once imported, in jax; returns why not, if not."""
    ours = _ours()
    if name in os.environ and name not in ours:
        return f"{name}={os.environ[name]} is set outside"
    if name in ours and os.environ.get(name) == str(value):
        return None
    if name == DEVICES and "xla_force_host_platform_device_count" in os.environ.get(
        "XLA_FLAGS", ""
    ):
        return "XLA_FLAGS sets the number of host devices"
    try:
        _tell_jax(name, value)
    except RuntimeError:
        return "jax has already started"
    os.environ |= {name: str(value), OURS: " ".join(sorted(ours | {name}))}
    return None


def _leave(name: str) -> str | None:
    """Take back what an earlier set-up of ours chose; returns why it stays, if it does."""
    if name not in os.environ:
        return None
    if name not in _ours():
        return f"{name}={os.environ[name]} is set outside"
    _tell_jax(name, None)
    del os.environ[name]
    os.environ[OURS] = " ".join(sorted(_ours() - {name}))
    return None


def _ours() -> set[str]:
    return set(os.environ.get(OURS, "").split())


def _tell_jax(name: str, value: Any) -> None:
    """Update a jax that has been imported; one that has not reads the environment."""
    if "jax" not in sys.modules:
        return
    import jax

    jax.config.update(name.lower(), value)
    if name == CACHE:
        from jax.experimental.compilation_cache import compilation_cache as cache

        cache.reset_cache()  # a cache that was opened would go on in its old folder


def _host_devices() -> int:
    forced = FORCED_DEVICES.search(os.environ.get("XLA_FLAGS", ""))
    return int(os.environ.get(DEVICES) or (forced[1] if forced else 1))


def restart() -> None:
    """Start this command anew with malloc tuned: glibc reads how once, when a process starts.

    Returns where malloc is tuned already or cannot be.
    """
    if sys.executable and TUNABLES not in os.environ and _malloc_fault() is None:
        os.environ |= {TUNABLES: HUGE_PAGES, OURS: " ".join(sorted(_ours() | {TUNABLES}))}
        # In place, not as a child: the process keeps its id, terminal and parent, so Ctrl-C and
        # a scheduler's signals reach what computes. TUNABLES is set now: there is no second time.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _malloc(tuned: bool) -> str | None:
    """Why malloc is not as asked, if it is not: only `restart` can change it."""
    if tuned:
        return _malloc_fault() or (None if _tuned() else "only the feedrun command can do that")
    return "it was tuned when this process started" if _tuned() else None


def _tuned() -> bool:
    return TUNABLES in os.environ and TUNABLES in _ours()


def _malloc_fault() -> str | None:
    """What stands against huge pages for large buffers."""
    chosen = {name for name in os.environ if name.startswith("MALLOC_") or name == TUNABLES}
    if chosen := sorted(chosen - _ours()):
        return f"{', '.join(chosen)} set outside"
    if os.environ.get("LD_PRELOAD"):
        return "LD_PRELOAD may replace malloc"
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        offered = HUGE_PAGES_OFFERED.read_text()
    except (ValueError, AttributeError, OSError):
        return "not glibc on Linux"
    if name != "glibc" or tuple(map(int, version.split(".")[:2])) < (2, 35):
        return f"{name} {version} is no glibc 2.35 or newer"
    return "the kernel is told to offer no huge pages" if "[never]" in offered else None
