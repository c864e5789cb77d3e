"""Child processes of tests: Ctrl-C reaches them however pytest was started, and none stays behind.

A shell that starts `pytest &` from a script lets it ignore SIGINT, and so would its children.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 600.0
"""Seconds after which a wait has failed: no machine that works at all is as slow as that."""

_started: list["Child"] = []


class Child:
    """A process in a session of its own. What it says goes into files, so no pipe can fill up."""

    def __init__(self, command: Sequence[Any], folder: Path | None, env: Mapping[str, str] | None):
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        with _interruptible():
            self._process = subprocess.Popen(
                [*map(str, command)], cwd=folder, env=env, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err,
            )  # fmt: skip

    def running(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """What it has written to stderr so far."""
        return _content(self._err)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, not to its children."""
        self._process.send_signal(number)

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end: exit code, stdout and stderr."""
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end; it said: {self.said()}") from None
        return subprocess.CompletedProcess(
            self._process.args, code, _content(self._out), self.said()
        )

    def end(self) -> None:
        """Kill what is left of it and of its own children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._out.close()
        self._err.close()


def start(
    command: Sequence[Any], folder: Path | None = None, env: Mapping[str, str] | None = None
) -> Child:
    """A process that the fixture `children_end_with_their_test` ends, if nothing else does."""
    child = Child(command, folder, env)
    _started.append(child)
    return child


def run(
    command: Sequence[Any], folder: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Exit code, stdout and stderr of a command."""
    return start(command, folder, env).ended()


def until(found: Callable[[], Any], *watched: Child) -> Any:
    """What `found()` returns once it is something; fails if one of the watched ends before."""
    end = time.monotonic() + PATIENCE
    while True:
        over = [child for child in watched if not child.running()]
        if it := found():
            return it
        assert not over, over[0].ended()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def end_all() -> None:
    """End every process started since the last call."""
    while _started:
        _started.pop().end()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Who is started in here gets the default action of SIGINT: an exec keeps only "ignored"."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _content(file: Any) -> str:
    """All that was written; read without moving the place at which the child writes on."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")
