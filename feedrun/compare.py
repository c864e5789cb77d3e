"""`feedrun compare PATH…`: one HTML file that shows records side by side, now or while they grow."""

import argparse
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

from feedrun import curves, gather, page, store
from feedrun.commands import parser

Stamp = tuple[float, int]


def main(words: Sequence[str]) -> int:
    """Write the page (again and again with --watch); the exit code: 0, or 2 for bad input."""
    asked = _arguments().parse_args(words)
    fault = _fault(asked)
    if fault:
        print(f"feedrun: {fault}", file=sys.stderr)
        return 2
    reader = remembering(curves.read)
    found = _write(asked, reader, live=asked.watch)
    if not found.records and not found.sweeps and not asked.watch:
        return 2
    if asked.open:
        webbrowser.open(asked.out.resolve().as_uri())
    if asked.watch:
        _watch(asked, reader)
    return 0
