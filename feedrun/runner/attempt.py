"""From composed configs to records, in this process: the one way in which anything is run."""

import contextlib
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from feedrun.errors import BadInput
from feedrun.runner import config
from feedrun.runner.config import RunSpec
from feedrun.runtime import distributed, setup

Say = Callable[[str], None]
Show = Callable[[str, int, int, Mapping[str, Any]], None]


class Ending(NamedTuple):
    """How an attempt at one task, or at several as one program, ended.

    line: what went wrong. lasting: another attempt would end in the same way (bad input).
    """

    state: Literal["done", "failed", "busy"]
    line: str = ""
    lasting: bool = False
    seconds: float = 0.0


def run(
    specs: Sequence[RunSpec],
    *,
    say: Say,
    show: Show = lambda *_: None,
    wait: bool = True,
    hello: bool = False,
) -> list[Any]:
    """The Outcomes of runs, after this process was set up; several runs are one program.

    hello: say what is run and where, first. A process beside process 0 of a run (see
    `runtime.distributed`) takes part in it and has no Outcomes.

    Raises BadInput, and what `execute.execute` raises.
    """
    settings = config.settings(specs[0].composed, specs[0].name)
    held = setup.setup(**settings.process.model_dump())
    requests = [config.request(spec) for spec in specs]
    from feedrun.runner import execute, wandb

    if not distributed.first():
        execute.follow(requests)
        return []
    for request in requests if hello else ():
        about = f"{request.name} ({request.settings.scale}, seed {request.settings.seed})"
        say(f"{about} in {request.folder}")

    def mirrors() -> list[wandb.Sink]:
        if settings.wandb == "disabled":
            return []
        return [wandb.guarded(wandb.wandb_sink(settings.wandb, say), say)]

    return execute.execute(requests, sinks=mirrors, say=say, show=show, process=held, wait=wait)


def attempt(
    specs: Sequence[RunSpec],
    *,
    say: Say,
    show: Show = lambda *_: None,
    hello: bool = False,
    trace: Say = lambda text: None,
) -> Ending:
    """Run without waiting for other processes; whatever goes wrong is an Ending.

    `trace` gets the traceback.
    """
    from feedrun.records.store import Busy

    started = time.monotonic()
    ending = Ending("done")
    try:
        run(specs, say=say, show=show, wait=False, hello=hello)
    except Busy:
        ending = Ending("busy")
    except Exception as error:  # a sweep outlives any of its jobs
        trace("".join(traceback.format_exception(_root(error))))
        ending = Ending("failed", one_line(error), lasting=isinstance(error, BadInput))
        distributed.failed()
    return ending._replace(seconds=time.monotonic() - started)


def _root(error: BaseException) -> BaseException:
    """What the experiment raised, where that is known."""
    from feedrun.runner.execute import Failed

    return error.__cause__ if isinstance(error, Failed) and error.__cause__ else error


def one_line(error: Exception) -> str:
    """What an error says, in one line; with its kind, unless it was raised to be read."""
    from feedrun.runner.execute import Failed

    if isinstance(error, Failed):
        return error.line
    text = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename or 'while writing the record'}"
    readable = isinstance(error, BadInput | OSError) and text
    return text if readable else f"{type(error).__name__}: {text}"


def attempt_logged(specs: Sequence[RunSpec], log: Path, where: str) -> Ending:
    """An attempt in a process of its own, `where`: all that it says goes into its job's log."""
    with logged(log):
        _say(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {where}, process {os.getpid()}")
        ending = attempt(specs, say=_say, hello=True, trace=_say)
        _say(f"--- {ending.state} {ending.line}".rstrip())
    return ending


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Append all that this process and its children print to a file, for a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as log:
        kept = os.dup(1), os.dup(2)
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield
        finally:
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            for handle in kept:
                os.close(handle)
