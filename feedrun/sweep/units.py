"""Units of work: what a worker takes at once, and what becomes of it when an attempt has ended.

A unit is one run, or several that differ only in seed and in an experiment's `numbers` and so can
be one compiled program.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from feedrun.runner.attempt import Ending
from feedrun.runner.config import Request, RunSpec
from feedrun.runner.journal import checkpoints

BUSY = 1.0
"""Seconds before a run that another process holds is tried again."""


class Unit(NamedTuple):
    """Runs for one attempt, the folders of their records, and which attempt it is."""

    specs: tuple[RunSpec, ...]
    folders: tuple[Path, ...]
    attempt: int = 1
    not_before: float = 0.0


Settle = Callable[[Unit, Ending], list[Unit]]
"""settle(unit, ending): told how an attempt ended, returns what is still to be tried."""


def wait_for(unit: Unit) -> None:
    """Sleep until the unit's time has come."""
    time.sleep(max(0.0, unit.not_before - time.monotonic()))


def units(
    specs: Sequence[RunSpec], requests: Sequence[Request], folders: Sequence[Path], *, batch: int
) -> list[Unit]:
    """One unit a run, or up to `batch` runs where they can share a program, in their order."""
    groups: dict[Any, list[int]] = {}
    for k, (request, folder) in enumerate(zip(requests, folders, strict=True)):
        groups.setdefault(_program(request, folder) if batch > 1 else k, []).append(k)
    found = []
    for members in groups.values():
        width = batch if requests[members[0]].experiment.many else 1
        for start in range(0, len(members), width):
            chosen = members[start : start + width]
            found.append(Unit(tuple(specs[k] for k in chosen), tuple(folders[k] for k in chosen)))
    return found


def _program(request: Request, folder: Path) -> str:
    """Equal for runs that one program can do: same sizes, and checkpoints of the same steps."""
    fixed = without(request.config, request.experiment.numbers)
    steps = {scope: step for scope, (step, _) in checkpoints(folder).items()}
    forced = request.settings.force
    return repr([request.target, request.settings.scale, fixed, {} if forced else steps])


def without(tree: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """A config without the given dotted keys."""
    kept = {}
    for name, value in tree.items():
        below = [key.removeprefix(f"{name}.") for key in keys if key.startswith(f"{name}.")]
        if name not in keys:
            kept[name] = without(value, below) if below else value
    return kept


def after(unit: Unit, ending: Ending, *, retries: int) -> list[Unit]:
    """What is still to be tried once an attempt at `unit` has ended like this; often nothing.

    Runs of a batch that failed are tried alone, so that one of them does not cost the others.
    """
    if ending.state == "done":
        return []
    if ending.state == "busy":
        return [unit._replace(not_before=time.monotonic() + BUSY)]
    if len(unit.specs) > 1:
        return [Unit((t,), (f,)) for t, f in zip(unit.specs, unit.folders, strict=True)]
    if ending.lasting or unit.attempt > retries:
        return []
    return [unit._replace(attempt=unit.attempt + 1)]
