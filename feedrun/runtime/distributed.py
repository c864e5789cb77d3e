"""Several processes that compute one run together, on one host or on many.

Here they meet and part; `collectives` is what they say to each other in between. Importing this
module imports nothing but the standard library.

A process that fails says why and ends. The others cannot go on without it: where collectives
notice a closed connection (CPUs) they end at once, elsewhere when jax has missed its heartbeat
for HEARTBEAT seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from feedrun.errors import first_line

COUNT, INDEX = "FEEDRUN_PROCESSES", "FEEDRUN_PROCESS"
"""How many processes meet at HOST:PORT, and which of them this is, counted from 0."""

MET = "FEEDRUN_MET"
"""Environment variable with what came of the meeting: process id, index, count."""

MEETING = 120.0
"""Seconds in which all processes must have come."""

HEARTBEAT = 60
SHUTDOWN = 24 * 3600
"""Seconds that the others wait for process 0 to draw figures and finish its mirrors."""

GRACE = 10.0
"""Seconds that a process which failed gives the others to fail, and leave, together with it."""


def join(where: str) -> int:
    """Meet the other processes, once; returns how many there are. Before jax computes anything.

    where: HOST:PORT of process 0, with FEEDRUN_PROCESSES and FEEDRUN_PROCESS set in each process,
    or "auto": what jax makes of the cluster's own variables (SLURM, Open MPI, Kubernetes).
    Raises ConnectionError where that cannot be, or has not come about in MEETING seconds.
    """
    import jax

    if not jax.distributed.is_initialized():
        options = {} if where == "auto" else _meeting(where)
        # Its SIGTERM handler would take the place of ours, and nobody would end.
        jax.config.update("jax_enable_preemption_service", False)
        _stdout_for_python_alone()
        meet = partial(
            jax.distributed.initialize,
            **options,
            # A process whose time has run out in there is killed without a word.
            initialization_timeout=int(10 * MEETING),
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=SHUTDOWN,
        )
        try:
            met = _within(MEETING, meet)
        except (RuntimeError, ValueError) as error:
            raise ConnectionError(f"process.distributed={where}: {_why(error)}") from error
        if not met:
            raise ConnectionError(
                f"process.distributed={where}: the processes have not all met within "
                f"{MEETING:g} s; is each of them running, and can it reach the address?"
            )
    if jax.device_count() != jax.process_count() * jax.local_device_count():
        raise ConnectionError(
            f"{jax.process_count()} processes have {jax.device_count()} devices, not the same "
            "number each; on CPUs process.devices=1 makes them equal"
        )
    os.environ[MET] = f"{os.getpid()} {jax.process_index()} {jax.process_count()}"
    return jax.process_count()


def first() -> bool:
    """Is this the process that keeps the record (or the only one)?"""
    return index() == 0


def several() -> bool:
    """Are there other processes?"""
    return _met()[1] > 1


def index() -> int:
    """The number of this process."""
    return _met()[0]


def ended(code: int) -> int:
    """The exit code; but after a failure among several processes this one ends here and now.

    jax's own exit would wait for the others, which may never come. They get GRACE seconds, for
    what fails on one process mostly fails on all.
    """
    if code == 0 or not _joined():
        return code
    with contextlib.suppress(Exception):
        if _has_met() and _within(GRACE, _jax().distributed.shutdown):
            return code
    sys.stdout.flush()
    sys.stderr.flush()
    # sys.exit would run jax's exit handler, which waits for the others for SHUTDOWN seconds.
    os._exit(code)


def failed() -> None:
    """Do the same when this process comes to its end, which may still have results to hand in."""
    if _joined():
        atexit.register(ended, 1)


def _stdout_for_python_alone() -> None:
    """What C++ libraries print about connections goes to stderr: verdicts alone to stdout."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)


def _met() -> tuple[int, int]:
    """(index, count); of a process that has not met others, or whose parent has: (0, 1)."""
    index, count = os.environ[MET].split()[1:] if _has_met() else (0, 1)
    return int(index), int(count)


def _has_met() -> bool:
    return os.environ.get(MET, "").startswith(f"{os.getpid()} ")


def _meeting(address: str) -> dict[str, Any]:
    """jax's options for an explicit address. Raises ConnectionError on what cannot work."""
    try:
        count, index = (int(os.environ[name]) for name in (COUNT, INDEX))
    except (KeyError, ValueError):
        count, index = 0, 0
    if not 0 <= index < count:
        raise ConnectionError(
            f"process.distributed={address} needs {COUNT} (how many) and {INDEX} (which one, "
            f"from 0) in the environment, got {os.environ.get(COUNT)} and {os.environ.get(INDEX)}"
        )
    if index == 0:
        _free(address)
    return {
        "coordinator_address": address,
        "num_processes": count,
        "process_id": index,
        "cluster_detection_method": "deactivate",
    }


def _free(address: str) -> None:
    """Raise ConnectionError where process 0 could not open its port: jax would not say so."""
    host, port = address.rsplit(":", 1)
    try:
        socket.getaddrinfo(host, int(port))
        socket.create_server(("", int(port))).close()
    except OSError as error:
        raise ConnectionError(f"process.distributed={address}: {error.strerror}") from error


def _why(error: Exception) -> str:
    line = first_line(error)
    if line.startswith("coordinator_address should be"):
        return "jax finds no cluster here (under SLURM the processes are started by srun)"
    return line


def _within(seconds: float, call: Callable[[], Any]) -> bool:
    """Has the call, which may block for ever, returned in time? What it raises is raised here."""
    raised: list[Exception] = []

    def attempt() -> None:
        try:
            call()
        except Exception as error:
            raised.append(error)

    # A daemon: a call that never returns must not keep the process from ending.
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return not thread.is_alive()


def _joined() -> bool:
    return "jax" in sys.modules and _jax().distributed.is_initialized()


def _jax() -> Any:
    import jax

    return jax
