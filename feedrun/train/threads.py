"""Independent parts of a run side by side on host CPUs: one compiles or waits, the others go on."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

import jax

from feedrun.experiment import Journal

Item = TypeVar("Item")
Found = TypeVar("Found")


class Stopped(Exception):
    """Another part has failed, or the user has interrupted: this one ends at its next row."""


def in_threads(
    work: Callable[[Item, Journal], Found],
    items: Sequence[Item],
    journal: Journal,
    *,
    counted: str = "",
) -> list[Found]:
    """[work(item, journal) for item in items], on host CPUs as many at a time as there are devices.

    Each part must have rows and checkpoints of a scope of its own. It computes on one device, so
    its repeats are not spread, and what it finds does not depend on how many run beside it. The
    journal's progress counts parts that are done, under the name `counted` where a run has several
    such counts. The first error ends all others at their next row. Parts run one after another on
    accelerators, among several processes, where there is one device, and inside a part.
    """
    workers, total = min(len(items), _at_once()), len(items)
    progress = journal.scope(counted).progress if counted else journal.progress
    if workers < 2:
        found = []
        for item in items:
            found.append(work(item, journal))
            progress(len(found), total)
        return found
    # All parts on the same one device: a training told of a default device spreads nothing over the
    # others, whose cores the other parts need; and a program is compiled for a device, so that
    # parts of one shape share one program. Threads on a CPU device run side by side all the same.
    stop = threading.Event()
    watched, device = _until(stop, journal), jax.local_devices()[0]

    def part(item: Item) -> Found:
        with jax.default_device(device):
            return work(item, watched)

    with ThreadPoolExecutor(workers) as pool:
        try:
            parts = [pool.submit(part, item) for item in items]
            for done, one in enumerate(as_completed(parts), 1):
                one.result()
                progress(done, total)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [one.result() for one in parts]


def _at_once() -> int:
    inside = jax.config.jax_default_device is not None  # pyright: ignore[reportAttributeAccessIssue]
    alone = inside or jax.process_count() > 1 or jax.default_backend() != "cpu"
    return 1 if alone else jax.local_device_count()


def _until(stop: threading.Event, journal: Journal) -> Journal:
    """The journal, which ends whoever writes a row once `stop` is set."""

    def log(step, metrics):
        if stop.is_set():
            raise Stopped
        journal.log(step, metrics)

    return journal._replace(log=log, scope=lambda name: _until(stop, journal.scope(name)))
