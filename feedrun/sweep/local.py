"""Worker processes for a sweep on this machine: the crash of one leaves the others running.

`concurrent.futures` gives up its whole pool when a process dies; here a dead worker costs its own
job one attempt, and a new worker takes its place.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing import connection
from pathlib import Path
from typing import NamedTuple

from feedrun.runner.attempt import Ending
from feedrun.runtime import machine
from feedrun.sweep import worker
from feedrun.sweep.board import Screen
from feedrun.sweep.units import Settle, Unit

MEMORY = 2.0
"""GiB of free memory a worker, when their number is not chosen by the user."""

TICK = 0.25
GRACE = 10.0
"""Seconds that a worker has to end after SIGTERM, before SIGKILL."""


class Place(NamedTuple):
    """Where a worker runs: its cores, and its GPU, which it may share with other workers."""

    cores: list[int]
    gpu: str | None
    shares: bool = False


def places(workers: int | None, units: int) -> list[Place]:
    """One place a worker, with its share of the cores: never more workers than units.

    Without a number: one a GPU, or as many as cores and free memory allow.
    """
    gpus, cores = machine.accelerators(), machine.cores()
    fit = len(gpus) or min(len(cores), int(machine.free_memory() / MEMORY))
    count = max(1, min(workers or fit, units))
    shares = [cores[i % len(cores) :: count] or cores for i in range(count)]
    if not gpus:
        return [Place(share, None) for share in shares]
    return [Place(s, gpus[i % len(gpus)], count > len(gpus)) for i, s in enumerate(shares)]


class _Worker:
    """A process and the unit it works at. (With memory: it stands for the outside world.)"""

    def __init__(self, place: Place):
        self.place, self.unit, self.since = place, None, 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, os.getpid(), *self.place)
        self.process = context.Process(target=worker.main, args=arguments)
        self.process.start()
        theirs.close()

    def give(self, unit: Unit, logs: Path) -> None:
        """Let it begin with a unit; a worker that died while idle is replaced first."""
        if not self.process.is_alive():
            self._start()
        self.unit, self.since = unit, time.monotonic()
        self.pipe.send((unit.specs, logs / f"{unit.specs[0].id}.log"))

    def ended(self, timeout: float | None) -> Ending | None:
        """How its unit ended, None while it works; a dead worker is replaced when next needed."""
        if self.pipe.poll():
            try:
                return self.pipe.recv()
            except (EOFError, OSError):
                self.process.join(GRACE)
        if not self.process.is_alive():
            return Ending("failed", died(self.process.exitcode))
        if timeout and time.monotonic() - self.since > timeout:
            self.stop()
            return Ending("failed", f"no end within {timeout:g} s; stopped (launcher.timeout)")
        return None

    def dismiss(self) -> None:
        """Ask it to end: an idle one by its closed pipe, a working one by SIGTERM."""
        self.pipe.close()
        if self.unit:
            self.process.terminate()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for who does not listen."""
        self.process.terminate()
        self.gone()

    def gone(self) -> None:
        """Wait for its end; SIGKILL after a while."""
        self.process.join(GRACE)
        self.process.kill()
        self.process.join()


def died(code: int | None) -> str:
    """What the exit code of a dead worker says."""
    if code is None or code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = " (out of memory?)" if -code == signal.SIGKILL else ""
    return f"its process was killed by {name}{hint}"


def run(
    units: Sequence[Unit],
    *,
    folder: Path,
    settle: Settle,
    screen: Screen,
    workers: int | None,
    timeout: float | None,
) -> None:
    """Work off the units in worker processes, which are stopped before an exception leaves here.

    workers: how many (None: as many as fit). timeout: seconds an attempt may take (None: any).
    """
    queue = list(units)
    crew = [_Worker(place) for place in places(workers, len(units))]
    try:
        while queue or any(one.unit for one in crew):
            for one in crew:
                if one.unit is None and (unit := _next(queue)):
                    one.give(unit, folder / "logs")
            connection.wait([x for w in crew if w.unit for x in (w.pipe, w.process.sentinel)], TICK)
            for one in crew:
                if one.unit and (ending := one.ended(timeout)):
                    unit, one.unit = one.unit, None
                    queue.extend(settle(unit, ending))
            screen.tick()
    finally:
        for one in crew:
            one.dismiss()
        for one in crew:
            one.gone()


def _next(queue: list[Unit]) -> Unit | None:
    """Take the first unit whose time has come."""
    now = time.monotonic()
    ready = next((k for k, unit in enumerate(queue) if unit.not_before <= now), None)
    return None if ready is None else queue.pop(ready)
