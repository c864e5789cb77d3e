"""The program: from runs that were asked for to their records. Read `execute` first."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from feedrun.errors import first_line
from feedrun.experiment import Journal, Result
from feedrun.records import store
from feedrun.runner import journal as journals
from feedrun.runner import opening
from feedrun.runner.conclude import conclude, judged
from feedrun.runner.config import Request
from feedrun.runner.opening import Say, Show
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


def execute(
    requests: Sequence[Request],
    *,
    sinks: Callable[[], Sequence[Sink]],
    say: Say,
    show: Show = lambda scope, done, total, metrics: None,
    process: Mapping[str, Any] | None = None,
    wait: bool = True,
) -> list[Outcome]:
    """Run each request, or resume it, or return its finished record; several are one program.

    `sinks` makes the mirrors of one run. Two processes with one config: the second waits for the
    first one's record, or raises Busy if it shall not `wait`. Raises Failed when the experiment
    raises, Interrupted on Ctrl-C, OSError where the disk refuses.
    """
    with contextlib.ExitStack() as stack:
        start = stack.enter_context(collectives.led())
        for request in requests:
            stack.enter_context(opening.held(request.folder, say, wait=wait))
        there = [opening.finished(request, say) for request in requests]
        missing = [k for k, record in enumerate(there) if record is None]
        if missing:
            asked = [requests[k] for k in missing]
            stack.enter_context(_faults_of_the_run(asked[0].folder))
            disks = stack.enter_context(
                opening.opened(asked, sinks=sinks, say=say, show=show, process=process or {})
            )
            start(json.dumps(missing).encode())
            results = _results(asked, [disk.journal() for disk in disks])
            for request, disk, result in zip(asked, disks, results, strict=True):
                conclude(request, result, judged(request, result), disk)
    return [
        Outcome(record or store.load(request.folder), existed=record is not None)
        for request, record in zip(requests, there, strict=True)
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
def _faults_of_the_run(folder: Path) -> Iterator[None]:
    """Whatever ends a run early is an interruption, a fault of the disk, or one of the run."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(opening.how_far(folder)) from stop
    except OSError:
        raise
    except Exception as error:
        raise Failed(f"{type(error).__name__}: {first_line(error)}", folder) from error


def _results(requests: Sequence[Request], keepers: Sequence[Journal]) -> list[Result]:
    """Call the experiment at its precision with each run's only key."""
    import jax

    experiment, (first, *others) = requests[0].experiment, requests
    with precision(experiment.x64):
        if not others:
            key = jax.random.key(first.settings.seed)
            return [experiment.run(first.cfg, key, keepers[0])]
        from feedrun.experiment.batch import side_by_side  # imports jax

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
