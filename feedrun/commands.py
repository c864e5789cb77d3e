"""The commands that read records: `feedrun report PATH…` and its like."""

import argparse
from collections.abc import Callable, Sequence

COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {}
"""Word after `feedrun` -> what it does with the words after it; returns the exit code."""


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """An argument parser of one command."""
    return argparse.ArgumentParser(prog=f"feedrun {name}", description=description)
