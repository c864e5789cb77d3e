"""Many starts through a grid of times: refuse the stuck, log, checkpoint, resume."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from feedrun.experiment import Journal

FIRST_STEP = 1e-2
MAX_ATTEMPTS = 20_000
"""Steps one start may try between two rows before the run is given up as stuck."""


def march(
    swarms: Any,
    rows: Any,
    times: np.ndarray,
    *,
    advance: Callable[[Any, np.ndarray], tuple[Any, Any]],
    clock: Callable[[Any], Any],
    metrics: Callable[[np.ndarray, Any], dict[str, Any]],
    stride: int,
    axis: int = 0,
    journal: Journal,
    place: Callable[[Any], Any] = lambda swarms: swarms,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Any, Any]:
    """(swarms at the end, all rows) of advance(swarms, times (C, ...)) -> (swarms, new rows).

    times: (S, ...), of which `stride` make a chunk; rows hold S of them along `axis`, new ones C.
    clock(swarms): their times, (..., starts), that must have reached the chunk's last.
    metrics(time, row) is logged for each; every chunk is a checkpoint, from which a killed run
    resumes exactly. Raises RuntimeError where starts are stuck.
    """
    total = len(times)
    done, (swarms, rows) = journal.restore((swarms, rows)) or (0, (swarms, rows))
    swarms = place(swarms)
    for first in range(done, total, stride):
        chunk = times[first : first + stride]
        swarms, new = advance(swarms, chunk)
        refuse_stuck(clock(swarms), chunk[-1])
        last = first + len(chunk)
        rows = jax.tree.map(lambda old, part, at=first: _filled(old, at, part, axis), rows, new)
        for k in range(first, last):
            row = jax.tree.map(lambda leaf, k=k: leaf.take(k, axis), rows)
            journal.log(k, metrics(times[k], row))
        journal.save(last, (swarms, rows), final=last == total)
        if progress is not None:
            progress(last, total)
    return swarms, rows


def refuse_stuck(clock: Any, until: Any) -> None:
    """RuntimeError where a clock (..., starts) has not reached `until` (...)."""
    until = np.asarray(until)
    late = np.asarray(clock) < until[..., None]
    if late.any():
        raise RuntimeError(
            f"{late.sum()} of {late.size} starts need more than {MAX_ATTEMPTS} steps to reach "
            f"time {until.max():g}: loosen `tolerance` or shorten `horizon`"
        )


def _filled(rows: Any, first: int, part: Any, axis: int) -> np.ndarray:
    """The rows with `part` from place `first` of the axis on."""
    rows = np.array(rows)  # a restored array may be read-only
    np.moveaxis(rows, axis, 0)[first : first + part.shape[axis]] = np.moveaxis(part, axis, 0)
    return rows
