"""Execute requests: record them, resume, judge; or hand back the records that exist."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from feedrun.errors import first_line
from feedrun.experiment import Journal, Result
from feedrun.records import store
from feedrun.runner import conclude, provenance
from feedrun.runner import journal as journals
from feedrun.runner.config import Request
from feedrun.runner.wandb import Sink
from feedrun.runtime import collectives, distributed


class Failed(Exception):
    """The experiment itself raised: `line` says what, the record's failure.json all of it."""

    def __init__(self, line: str, folder: Path | None):
        super().__init__(f"{line} (see {folder}/failure.json)" if folder else line)
        self.line = line


class Interrupted(KeyboardInterrupt):
    """Ctrl-C (or SIGTERM) while a run was going on; says how far it had come."""


class Outcome(NamedTuple):
    """A complete record, and whether it had been there before it was asked for."""

    record: store.Record
    existed: bool


Show = Callable[[str, int, int, Mapping[str, Any]], None]


def record_folder(request: Request) -> Path:
    """Where the record of a request lives."""
    return Path(request.settings.outputs) / request.name / request.config_id


def execute(
    requests: Sequence[Request],
    *,
    sinks: Callable[[], Sequence[Sink]],
    say: Callable[[str], None],
    show: Show = lambda scope, done, total, metrics: None,
    process: Mapping[str, Any] | None = None,
    wait: bool = True,
) -> list[Outcome]:
    """Run each request, or resume it, or return its finished record.

    Several requests are executed as one program (see `Experiment.many`); `sinks` makes the mirrors
    of one. Two processes with one config: the second waits and gets the first one's record, or
    raises Busy if it shall not `wait`. Raises Failed when the experiment raises, Interrupted on
    Ctrl-C, OSError where the disk refuses.
    """
    folders = [record_folder(request) for request in requests]
    with contextlib.ExitStack() as stack:
        start = stack.enter_context(collectives.led())
        for folder in folders:
            stack.enter_context(_claimed(folder, say, wait=wait))
        there = [_finished(r, f, say) for r, f in zip(requests, folders, strict=True)]
        missing = [k for k, record in enumerate(there) if record is None]
        if missing:
            start = partial(start, json.dumps(missing).encode())
            _carry_out([requests[k] for k in missing], sinks, say, show, process or {}, start)
        return [
            Outcome(record or store.load(folder), existed=record is not None)
            for record, folder in zip(there, folders, strict=True)
        ]


def follow(requests: Sequence[Request]) -> None:
    """What a process beside process 0 does: run what 0 says with it, and keep nothing.

    Raises Failed when the experiment raises.
    """
    try:
        if missing := json.loads(collectives.share() or b"[]"):
            _results([requests[k] for k in missing], [journals.follower() for _ in missing])
    except Exception as error:  # process 0 cannot know why this one is gone: it says so itself
        line = f"process {distributed.index()}: {type(error).__name__}: {first_line(error)}"
        raise Failed(line, None) from error


@contextlib.contextmanager
def _claimed(folder: Path, say: Callable[[str], None], *, wait: bool) -> Iterator[None]:
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


def _finished(request: Request, folder: Path, say: Callable[[str], None]) -> store.Record | None:
    """The finished record, if there is one that can be read and nobody wants it anew."""
    if request.settings.force or not (folder / "summary.json").exists():
        return None
    try:
        return store.load(folder)
    except (ValueError, KeyError) as error:
        _start_over(folder, error, say)
        return None


def _start_over(folder: Path, error: Exception, say: Callable[[str], None]) -> None:
    """Keep what cannot be read beside the record, which starts anew."""
    say(f"{first_line(error)}; kept in {store.set_aside(folder)}, the run starts anew")


def _carry_out(
    requests: Sequence[Request],
    sinks: Callable[[], Sequence[Sink]],
    say: Callable[[str], None],
    show: Show,
    process: Mapping[str, Any],
    start: Callable[[], None],
) -> None:
    """Open all records, run (`start` is the word for other processes), and conclude each."""
    folders, disks = [record_folder(r) for r in requests], []
    try:
        with contextlib.ExitStack() as stack:
            for request, folder in zip(requests, folders, strict=True):
                opened = _opened(request, folder, sinks(), say, show, process, len(requests))
                disks.append(stack.enter_context(opened))
            start()
            results = _results(requests, [disk.journal() for disk in disks])
            for request, disk, result in zip(requests, disks, results, strict=True):
                conclude.conclude(request, disk.folder, result, disk)
    except KeyboardInterrupt as stop:
        how_far = _how_far(disks[0]) if disks else "the beginning"
        raise Interrupted(how_far) from stop
    except OSError:
        raise
    except Exception as error:
        line = f"{type(error).__name__}: {first_line(error)}"
        raise Failed(line, folders[0]) from error


@contextlib.contextmanager
def _opened(
    request: Request,
    folder: Path,
    sinks: Sequence[Sink],
    say: Callable[[str], None],
    show: Show,
    process: Mapping[str, Any],
    batch: int,
) -> Iterator[journals.DiskJournal]:
    """A record being written: what was there is resumed; what goes wrong is noted in it."""
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


def _resumed(folder: Path, say: Callable[[str], None]) -> list[journals.Row]:
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


def _results(requests: Sequence[Request], keepers: Sequence[Journal]) -> list[Result]:
    """Call the experiment at its precision with each run's only key."""
    import jax

    experiment, (first, *others) = requests[0].experiment, requests
    with precision(experiment.x64):
        if not others:
            key = jax.random.key(first.settings.seed)
            return [experiment.run(first.cfg, key, keepers[0])]
        from feedrun.experiment.batch import side_by_side

        if experiment.many is None:
            raise ValueError(f"{first.name} cannot run {len(requests)} configs as one program")
        keys = jax.vmap(jax.random.key)(jax.numpy.array([r.settings.seed for r in requests]))
        return experiment.many([r.cfg for r in requests], keys, side_by_side(keepers))


@contextlib.contextmanager
def precision(x64: bool) -> Iterator[None]:
    """Float64 on or off while an experiment runs, then as it was."""
    import jax

    before = bool(jax.config.jax_enable_x64)  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_x64", x64)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _how_far(disk: journals.DiskJournal) -> str:
    saved = journals.checkpoints(disk.folder)
    steps = [f"{scope or 'step'} {step}" for scope, (step, _) in saved.items()]
    return ", ".join(steps) or "the beginning (no checkpoint yet)"
