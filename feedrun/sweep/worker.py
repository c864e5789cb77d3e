"""A worker process of a local sweep: takes units of work from its pipe until there are no more.

Importing this module imports nothing heavy, so that a worker is set up before jax starts.
"""

import contextlib
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection

from feedrun.runner import attempt
from feedrun.runtime import setup


def main(
    pipe: Connection, parent: int, cores: Sequence[int], gpu: str | None, shares: bool
) -> None:
    """Answer each (tasks, log file) that comes through the pipe with its Ending."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the launcher, which tells us
    signal.signal(signal.SIGTERM, _terminated)
    setup.die_with(parent)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    if shares:  # or the first worker takes three quarters of the GPU's memory
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with contextlib.suppress(EOFError, KeyboardInterrupt, OSError):
        while True:
            tasks, log = pipe.recv()
            pipe.send(attempt.attempt_logged(tasks, log, "worker"))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminated(number: int, frame: object) -> None:
    raise KeyboardInterrupt("terminated")
