"""The commands that read records: `feedrun report PATH…` and its like."""

import argparse
import importlib
from collections.abc import Callable, Sequence


def _later(module: str) -> Callable[[Sequence[str]], int]:
    """The `main` of a module, imported when it is called: `feedrun --help` stays quick."""
    return lambda words: importlib.import_module(module).main(words)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "compare": _later("feedrun.compare"),
    "report": _later("feedrun.report_command"),
}
"""Word after `feedrun` -> what it does with the words after it; returns the exit code."""


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """An argument parser of one command; its description is printed as it stands."""
    return argparse.ArgumentParser(
        prog=f"feedrun {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
