"""The commands that read records: `feedrun status PATH…`, `feedrun report PATH…` and their like."""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """An argument parser of one command; its description is printed as it stands."""
    return argparse.ArgumentParser(
        prog=f"feedrun {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def status(words: Sequence[str]) -> int:
    """How far the jobs of a sweep are, read from its files, wherever it runs."""
    from rich.console import Console
    from rich.live import Live

    from feedrun.records import sweeps
    from feedrun.sweep import board as live

    arguments = parser("status", (status.__doc__ or "") + " Exit code 1 where a job has failed.")
    arguments.add_argument(
        "folder", type=Path, nargs="?", help="outputs/sweeps/NAME; default: the sweep begun last"
    )
    arguments.add_argument("--watch", action="store_true", help="look again until it has ended")
    given = arguments.parse_args(words)
    folder = given.folder or _newest(Path("outputs/sweeps"))
    try:
        board = live.Board(sweeps.read(folder), set())
    except ValueError as error:
        print(f"feedrun: {error}", file=sys.stderr)
        return 2
    board.look()
    with Live(board.view(), console=Console(), auto_refresh=False) as screen:
        while given.watch and not board.over():
            time.sleep(1.0)
            board.look()
            screen.update(board.view(), refresh=True)
    return 1 if board.counts().get("failed") else 0


def _newest(sweeps: Path) -> Path:
    """The folder of the sweep that was begun last."""
    found = sorted(sweeps.glob("*/sweep.json"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else sweeps


def _later(module: str) -> Callable[[Sequence[str]], int]:
    """The `main` of a module, imported when it is called: `feedrun --help` stays quick."""
    return lambda words: importlib.import_module(module).main(words)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "status": status,
    "report": _later("feedrun.cli.report"),
    "compare": _later("feedrun.cli.compare"),
    "workspace": _later("feedrun.cli.workspace"),
}
"""Word after `feedrun` -> what it does with the words after it; returns the exit code."""
