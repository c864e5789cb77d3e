"""The beginning of a record: its folder held, a finished one found, a stopped one resumed."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from feedrun.errors import first_line
from feedrun.records import store
from feedrun.runner import conclude, provenance
from feedrun.runner import journal as journals
from feedrun.runner.config import Request
from feedrun.runner.wandb import Sink

Say = Callable[[str], None]
Show = Callable[[str, int, int, Mapping[str, Any]], None]


@contextlib.contextmanager
def held(folder: Path, say: Say, *, wait: bool) -> Iterator[None]:
    """Hold a record's folder; if nothing came of it (no data set, disk full) forget it again."""
    fresh = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = lambda: say(f"another process runs this config; waiting ({folder})")  # noqa: E731
        with store.locked(folder, waiting if wait else None):
            yield
    except OSError:
        if fresh and not store.read_rows(folder / "metrics.jsonl"):
            store.forget(folder)
        raise


def finished(request: Request, say: Say) -> store.Record | None:
    """The finished record, if there is one that can be read and nobody wants it anew."""
    folder = request.folder
    if request.settings.force or not (folder / "summary.json").exists():
        return None
    try:
        return store.load(folder)
    except (ValueError, KeyError) as error:
        _start_over(folder, error, say)
        return None


def _start_over(folder: Path, error: Exception, say: Say) -> None:
    """Keep what cannot be read beside the record, which starts anew."""
    say(f"{first_line(error)}; kept in {store.set_aside(folder)}, the run starts anew")


@contextlib.contextmanager
def opened(
    requests: Sequence[Request],
    *,
    sinks: Callable[[], Sequence[Sink]],
    say: Say,
    show: Show,
    process: Mapping[str, Any],
) -> Iterator[list[journals.DiskJournal]]:
    """The records of runs that share a program, being written; closed when the runs have ended."""
    with contextlib.ExitStack() as stack:
        batch = len(requests)
        yield [
            stack.enter_context(_opened(request, sinks(), say, show, process, batch))
            for request in requests
        ]


@contextlib.contextmanager
def _opened(
    request: Request,
    sinks: Sequence[Sink],
    say: Say,
    show: Show,
    process: Mapping[str, Any],
    batch: int,
) -> Iterator[journals.DiskJournal]:
    """A record being written: what was there is resumed; what goes wrong is noted in it."""
    folder = request.folder
    if request.settings.force:
        store.empty(folder)
    (folder / "failure.json").unlink(missing_ok=True)
    rows = _resumed(folder, say)
    run = provenance.describe(request, folder, process, batch)
    store.write_json(folder / "run.json", run)
    for sink in sinks:
        sink.start(run, rows, folder)
    every, mirror = request.settings.checkpoint_seconds, lambda row: _each(sinks, row)
    disk = journals.DiskJournal(folder, rows, every=every, mirror=mirror, show=show)
    try:
        yield disk
    except OSError:
        raise
    except Exception as error:
        if not (folder / "summary.json").exists():
            conclude.note_failure(folder, error)
        raise
    finally:
        disk.close()
        for sink in sinks:
            sink.finish(folder)


def _resumed(folder: Path, say: Say) -> list[journals.Row]:
    """The rows that a run goes on from; an unreadable record is put aside."""
    try:
        if (folder / "run.json").exists():
            store.read_json(folder / "run.json")
        rows = journals.resume(folder)
    except ValueError as error:
        _start_over(folder, error, say)
        return journals.resume(folder)
    steps = journals.checkpoints(folder)
    if steps:
        say("resuming from " + ", ".join(f"{s or 'step'} {step}" for s, (step, _) in steps.items()))
    return rows


def _each(sinks: Sequence[Sink], row: dict[str, Any]) -> None:
    for sink in sinks:
        sink.log(row)


def how_far(folder: Path) -> str:
    """The step of each scope's checkpoint, in words."""
    steps = [
        f"{scope or 'step'} {step}" for scope, (step, _) in journals.checkpoints(folder).items()
    ]
    return ", ".join(steps) or "the beginning (no checkpoint yet)"
