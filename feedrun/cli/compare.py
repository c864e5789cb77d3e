"""`feedrun compare PATH…`: one HTML file with records side by side, now or while they grow."""

import argparse
import sys
import time
import webbrowser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from feedrun.cli import commands
from feedrun.compare import page, thinning
from feedrun.errors import os_line
from feedrun.records import store
from feedrun.records.find import Gathered, gather, queued

DESCRIPTION = """\
One HTML page of any mix of runs and sweeps: curves with intervals over seeds, a table of runs,
any metric against any setting, claims, figures and provenance. One file that needs no network
and no server: open it, mail it, keep it with the paper.

A PATH is the folder of a run, of an experiment (outputs/NAME), of a sweep
(outputs/sweeps/NAME), or outputs as a whole.

  feedrun compare outputs/slay_lra                    writes compare.html here
  feedrun compare outputs/sweeps/lra-1f3a --open      and opens it in a browser
  feedrun compare outputs/a outputs/b --out ab.html   two experiments, a tab each
  feedrun compare outputs/sweeps/lra-1f3a --watch     a sweep that is still running

--watch writes the page anew every few seconds until the sweep is done or Ctrl-C, each time in one
piece. The page then has a Reload button and a box that presses it regularly; what you have chosen
(groups, metrics, zoom aside) is in its address, so a reload keeps it.
"""

SHARE = 9
"""--watch rests so many times as long as a page took, not to slow down the runs it watches."""


def main(words: Sequence[str]) -> int:
    """Write the page (again and again with --watch); the exit code is 0, or 2 for bad input."""
    asked = _parser().parse_args(words)
    if fault := _fault(asked.out):
        return _say(fault) or 2
    try:
        return _watch(asked) if asked.watch else _once(asked)
    except OSError as error:
        return _say(os_line(error, str(asked.out))) or 2


def _fault(out: Path) -> str | None:
    """Why no page can be written there; said before a thousand records are read."""
    if out.is_dir():
        return f"--out {out} is a folder; name a file in it"
    return None if out.absolute().parent.is_dir() else f"--out {out}: no folder {out.parent}"


def _parser() -> argparse.ArgumentParser:
    parser = commands.parser("compare", DESCRIPTION)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="records to show")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("compare.html"),
        metavar="FILE",
        help="the page (default: compare.html)",
    )
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    parser.add_argument("--watch", action="store_true", help="write it anew while runs go on")
    parser.add_argument(
        "--every", type=_positive, default=5.0, metavar="SECONDS", help="how often (default: 5)"
    )
    return parser


def _positive(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if seconds > 0:
        return seconds
    raise argparse.ArgumentTypeError(f"expected a number of seconds, got {word}")


def _once(asked: argparse.Namespace) -> int:
    start = time.monotonic()
    found = gather(asked.paths)
    if not found.records and not found.sweeps:
        for fault in found.faults:
            _say(fault)
        return 2
    for fault in _write(asked, found, thinning.read, live=None):
        _say(fault)
    size = asked.out.stat().st_size / 1e6
    seconds = time.monotonic() - start
    print(f"page     {asked.out} ({_count(found)}, {size:.1f} MB, {seconds:.1f} s)")
    if asked.open:
        webbrowser.open(asked.out.resolve().as_uri())
    return 0


def _watch(asked: argparse.Namespace) -> int:
    """Until every job of the sweeps has ended, or Ctrl-C; the last page is an ordinary one."""
    read, said, opened = remembering(thinning.read), "", not asked.open
    try:
        while True:
            start = time.monotonic()
            found = gather(asked.paths)
            _write(asked, found, read, live=asked.every)
            said = _news(found, said)
            if not opened:
                opened = webbrowser.open(asked.out.resolve().as_uri())
            # Read anew: a queued job may have begun, or ended, since the records were read.
            if _done(found) and _done(found := gather(asked.paths)):
                break
            time.sleep(max(asked.every, SHARE * (time.monotonic() - start)))
    except KeyboardInterrupt:
        found = gather(asked.paths)
    for fault in _write(asked, found, read, live=None):
        _say(fault)
    print(f"page     {asked.out} ({_count(found)})")
    return 0


def _write(
    asked: argparse.Namespace, found: Gathered, read: page.Read, *, live: float | None
) -> list[str]:
    """Write the page whole; returns what is wrong with the records."""
    text, faults = page.build(found, asked.out.absolute().parent, read=read, live=live)
    store.write_whole(asked.out, lambda part: part.write_text(text, encoding="utf-8"))
    return faults


def remembering(read: page.Read) -> page.Read:
    """The same reading of a file, done anew only where the file has changed."""
    known = {}

    def again(path: Path):
        status = path.stat() if path.exists() else None
        stamp = status and (status.st_mtime_ns, status.st_size)
        if known.get(path, (0,))[0] != stamp:
            known[path] = stamp, read(path)
        return known[path][1]

    return again


def _done(found: Gathered) -> bool:
    """Whether the sweeps say that nothing is to come; a folder of runs never says so."""
    running = any(record.state == "unfinished" for record in found.records)
    return bool(found.sweeps) and not running and not queued(found)


def _news(found: Gathered, before: str) -> str:
    """Say how far the runs are, where that has changed."""
    line = _count(found)
    if line != before:
        print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
    return line


def _count(found: Gathered) -> str:
    """'12 complete, 1 failed, 3 queued'."""
    counts = Counter(record.state for record in found.records)
    counts["queued"] = len(queued(found))
    states = ("complete", "failed", "unfinished", "queued")
    return ", ".join(f"{counts[s]} {s}" for s in states if counts[s]) or "no records yet"


def _say(line: str) -> None:
    print(f"feedrun: {line}", file=sys.stderr)
