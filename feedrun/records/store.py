"""Records on disk: every file is written whole or not at all; reading survives a torn last line.

A record is a folder, outputs/<experiment>/<config id>/:
  run.json         first: config, seed, overrides, code, versions, device, process settings
  code.diff        when the code was not what the commit says
  metrics.jsonl    while running: one row a line {"step", "time", "scope", metric: number or list}
  checkpoint*.npz  while running: one file a scope, replaced by rename
  progress.json    while running: how far it is and how fast, replaced every second
  arrays.npz, figures/, claims.json       at the end
  summary.json     last: its presence means that the record is complete
  failure.json     instead, when the experiment raised
"""

import contextlib
import datetime
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Busy(Exception):
    """Another process holds the record's folder."""


class Record(NamedTuple):
    """A run as stored; `summary`, `claims` and `notes` are empty until it is complete."""

    folder: Path
    run: Mapping[str, Any]
    state: str  # complete | failed | unfinished
    summary: Mapping[str, Any]
    claims: list[Mapping[str, Any]]
    notes: Mapping[str, Any]
    seconds: float
    error: str = ""  # why it failed, in one line


def load(folder: Path) -> Record:
    """Read the record in `folder`. Raises ValueError, naming the file, where it is no record."""
    run = read_json(folder / "run.json")
    done = folder / "summary.json"
    if not done.exists():
        failure = folder / "failure.json"
        state, error = ("failed", _error(failure)) if failure.exists() else ("unfinished", "")
        return Record(folder, run, state, {}, [], {}, 0.0, error)
    end, claims = read_json(done), read_json(folder / "claims.json")
    return Record(folder, run, "complete", end["summary"], claims, end["notes"], end["seconds"])


def _error(failure: Path) -> str:
    """The first line of the error in a failure.json, or why it cannot be read."""
    try:
        return str(read_json(failure)["error"]).split("\n", 1)[0]
    except (ValueError, KeyError, TypeError) as error:
        return f"unknown: {error}"


def finished(folder: Path) -> bool:
    """Whether there is a record in `folder` with an end that can be read."""
    try:
        return "summary" in read_json(folder / "summary.json")
    except (ValueError, TypeError):
        return False


def records(outputs: Path) -> list[Record]:
    """All readable records under `outputs`/<experiment>/<id>, oldest first."""
    found = []
    for path in outputs.glob("*/*/run.json"):
        with contextlib.suppress(ValueError, KeyError):
            found.append(load(path.parent))
    return sorted(found, key=lambda record: record.run.get("started", ""))


def read_json(path: Path) -> Any:
    """Parse one JSON file, strictly: a NaN is an error. Raises ValueError naming the file."""
    try:
        return json.loads(path.read_text(), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {path}: {error}") from error


def _refuse(word: str) -> Any:
    """What Python's json would take although JSON has no such number."""
    raise ValueError(f"it holds {word}, which is no number (edited by hand?)")


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON (a NaN is a ValueError) whole, by rename."""
    text = json.dumps(content, indent=1, allow_nan=False, default=plain)
    write_whole(path, lambda part: part.write_text(text + "\n"))


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an .npz whole, by rename."""
    write_whole(path, lambda part: _savez(part, {k: np.asarray(v) for k, v in arrays.items()}))


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a neighbour of `path`, then rename it; on failure nothing is left behind."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        write(part)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def plain(value: Any) -> Any:
    """What JSON can hold of a numpy or jax number or array."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not fit JSON: {value!r}")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl; a torn last line is dropped, any other bad line an error."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows += [json.loads(line, parse_constant=_refuse)] if line.strip() else []
        except ValueError as error:
            if number < len(lines) or not isinstance(error, json.JSONDecodeError):
                raise ValueError(f"{path}:{number} is not JSON: {error}") from error
    return rows


@contextlib.contextmanager
def locked(folder: Path, waiting: Callable[[], None] | None) -> Iterator[None]:
    """Hold the folder for this process; call `waiting` once if another process has it.

    The lock is the kernel's (flock), so a killed process leaves none behind. Raises Busy instead
    of waiting where `waiting` is None.
    """
    with open(folder / ".lock", "a") as handle:
        if not _try_lock(handle):
            if waiting is None:
                raise Busy(folder)
            waiting()
            while not _try_lock(handle):
                time.sleep(0.2)
        yield


def held(folder: Path) -> bool:
    """Whether a process holds the folder now."""
    try:
        with open(folder / ".lock") as handle:
            return not _try_lock(handle)
    except OSError:
        return False


def set_aside(folder: Path) -> Path:
    """Move what lies in the folder into a new one beside it, and say which."""
    aside = next(
        path
        for n in range(1, 10**6)
        if not (path := folder.with_name(f"{folder.name}.unreadable-{n}")).exists()
    )
    aside.mkdir()
    for path in folder.iterdir():
        if path.name != ".lock":
            path.rename(aside / path.name)
    return aside


def forget(folder: Path) -> None:
    """Remove a folder in which nothing could be written, and its parents while they are empty."""
    shutil.rmtree(folder, ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        with contextlib.suppress(OSError):
            parent.rmdir()


def empty(folder: Path) -> None:
    """Remove all that lies in a record's folder but its lock."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()


def _try_lock(handle: Any) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _savez(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with open(path, "wb") as handle:
        np.savez(handle, **arrays)  # pyright: ignore[reportArgumentType]


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config with dotted keys: {"a": {"b": 1}} -> {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        inside = isinstance(value, Mapping) and value
        found |= flat(value, f"{prefix}{key}.") if inside else {f"{prefix}{key}": value}
    return found
