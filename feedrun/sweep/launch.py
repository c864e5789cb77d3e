"""A sweep from its points to its end: skip what is finished, run, retry, say what failed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from feedrun.errors import BadInput
from feedrun.records import store, sweeps
from feedrun.runner import conclude, config
from feedrun.runner.attempt import Ending
from feedrun.runner.config import Request, RunSpec
from feedrun.sweep import board as live
from feedrun.sweep import units as batches
from feedrun.sweep.board import Board, Screen
from feedrun.sweep.units import Settle, Unit

Execute = Callable[..., None]
"""How a launcher works off units: execute(units, *, folder, settle, screen).

It calls `settle` after each attempt and `screen.tick` often; logs go to `folder`/logs.
"""


class Swept(NamedTuple):
    """A sweep that has come to its end: its typed requests in the order of its jobs, the states
    of these, and a line for each that failed for good, by id."""

    sweep: sweeps.Sweep
    requests: list[Request]
    board: Board
    failures: dict[str, str]


def launch(
    points: Sequence[RunSpec],
    *,
    name: str,
    words: Sequence[str],
    execute: Execute,
    retries: int,
    batch: int,
    console: Console,
) -> Swept:
    """Do what is missing of a sweep.

    Raises BadInput before anything is run where any point is wrong, OSError where the sweep's
    folder cannot be written.
    """
    values = differing([point.words for point in points])
    chosen = distinct([(p, _request(p, own)) for p, own in zip(points, values, strict=True)])
    planned = plan(chosen, name=name, words=words)
    missing = [
        (spec._replace(sweep=planned.folder.name, id=job.id), request, job)
        for (spec, request), job in zip(chosen, planned.jobs, strict=True)
        if request.settings.force or not store.finished(job.folder)
    ]
    board = Board(planned, {job.id for job in planned.jobs} - {job.id for *_, job in missing})
    failures: dict[str, str] = {}
    with live.screen(console, board, quiet=chosen[0][1].settings.quiet) as screen:
        settle = settler(planned, screen, failures, retries)
        try:
            if missing:
                units = _units(missing, batch, screen)
                execute(units, folder=planned.folder, settle=settle, screen=screen)
        except KeyboardInterrupt as stop:
            board.look()
            raise KeyboardInterrupt(
                f"interrupted, {board.tally()}; the same command goes on"
            ) from stop
    board.look()
    return Swept(planned, [request for _, request in chosen], board, failures)


def _request(point: RunSpec, values: Mapping[str, str]) -> Request:
    """The typed request of a point; BadInput says which point it is."""
    try:
        return config.request(point)
    except BadInput as error:
        where = "".join(f"{key}={value} " for key, value in values.items()).strip()
        raise BadInput(f"{where}: {error}" if where else str(error)) from error


def distinct(pairs: Sequence[tuple[RunSpec, Request]]) -> list[tuple[RunSpec, Request]]:
    """The first point of each config: two spellings of one config are one job."""
    return list(
        {request.config_id: (point, request) for point, request in reversed(pairs)}.values()
    )[::-1]


def plan(
    chosen: Sequence[tuple[RunSpec, Request]], *, name: str, words: Sequence[str]
) -> sweeps.Sweep:
    """Write sweep.json, its folder named by a hash of the jobs: the same grid is the same sweep."""
    values = differing([point.words for point, _ in chosen])
    jobs = [
        sweeps.Job(request.config_id, point.name, request.folder, own)
        for (point, request), own in zip(chosen, values, strict=True)
    ]
    digest = hashlib.sha256(" ".join(sorted(job.id for job in jobs)).encode()).hexdigest()[:8]
    folder = Path(chosen[0][1].settings.outputs) / "sweeps" / f"{name}-{digest}"
    table = chosen[0][1].settings.table
    shown = table.model_dump() if table else None
    planned = sweeps.Sweep(folder, name, list(words), jobs, shown)
    folder.mkdir(parents=True, exist_ok=True)
    with store.locked(folder, lambda: None):
        sweeps.write(planned)
    return planned


def differing(points: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Of each point's overrides those in which the points differ, as {key: value}."""
    pairs = [dict(word.split("=", 1) for word in words if "=" in word) for words in points]
    keys = [key for key in pairs[0] if len({pair.get(key) for pair in pairs}) > 1]
    return [{key: pair[key] for key in keys if key in pair} for pair in pairs]


def _units(
    missing: Sequence[tuple[RunSpec, Request, sweeps.Job]], batch: int, screen: Screen
) -> list[Unit]:
    specs, requests, jobs = zip(*missing, strict=True)
    alone = {request.name for request in requests if batch > 1 and not request.experiment.many}
    for name in sorted(alone):
        screen.line(f"{name} has no batched form: its runs are executed one by one")
    return batches.units(specs, requests, [job.folder for job in jobs], batch=batch)


def settler(
    planned: sweeps.Sweep, screen: Screen, failures: dict[str, str], retries: int
) -> Settle:
    """The function that a launcher tells how each attempt ended; it returns what is to be tried."""
    by_id: Mapping[str, sweeps.Job] = {job.id: job for job in planned.jobs}

    def settle(unit: Unit, ending: Ending) -> list[Unit]:
        again = batches.after(unit, ending, retries=retries)
        for spec, folder in zip(unit.specs, unit.folders, strict=True):
            if ending.state == "failed":
                note_crash(folder, ending.line)
            if ending.state == "failed" and not again:
                log = planned.folder / "logs" / f"{spec.id}.log"
                where = log if log.exists() else folder / "failure.json"
                failures[spec.id] = f"{live.label(by_id[spec.id])}: {ending.line} (see {where})"
            screen.settled(by_id[spec.id], ending, again[0].attempt if again else None)
        return again

    return settle


def draw(swept: Swept) -> list[Path]:
    """Draw what experiments make of their runs together (`reduce`); the figures' files."""
    folder = swept.sweep.folder / "figures"
    pairs = list(zip(swept.requests, swept.sweep.jobs, strict=True))
    for name in dict.fromkeys(request.name for request in swept.requests):
        own = [(r, job.folder) for r, job in pairs if r.name == name and store.finished(job.folder)]
        if own and (reduce := own[0][0].experiment.reduce):
            conclude.draw(reduce([(r.cfg, conclude.result(place)) for r, place in own]), folder)
    return sorted(folder.glob("*")) if folder.exists() else []


def note_crash(folder: Path, line: str) -> None:
    """Leave failure.json in the record of a run that could not do so itself."""
    if not any((folder / name).exists() for name in ("summary.json", "failure.json")):
        folder.mkdir(parents=True, exist_ok=True)
        conclude.note_failure(folder, line)


def inline(units: Sequence[Unit], *, folder: Path, settle: Settle, screen: Screen) -> None:
    """Execute all units in this process, one after the other: they share compiled programs."""
    from feedrun.runner import attempt

    queue = list(units)
    while queue:
        unit = queue.pop(0)
        batches.wait_for(unit)
        show = lambda *_: screen.tick()  # noqa: E731
        ending = attempt.attempt(unit.specs, say=screen.line, show=show)
        queue.extend(settle(unit, ending))
        screen.tick()
