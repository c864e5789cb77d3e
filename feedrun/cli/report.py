"""`feedrun report PATH…`: verdicts and tables of the records there, in five formats."""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from feedrun.analysis.results import Wanted
from feedrun.cli import commands
from feedrun.records import store
from feedrun.records.find import Gathered, gather
from feedrun.report import document, export

DESCRIPTION = """\
Claims and results of any mix of runs and sweeps.

A PATH is the folder of a run, of an experiment (outputs/NAME), of a sweep
(outputs/sweeps/NAME), or outputs as a whole.

  feedrun report outputs/slay_lra                       everything that there is
  feedrun report outputs/sweeps/lra-1f3a --out lra.tex  a named sweep as its table
  feedrun report outputs/lab --metrics 'acc*,loss' --rows depth,width
  feedrun report outputs/lab --baseline kind=softmax    and differences, paired by seed

Runs that differ only in their seed are one row: mean, 95% interval over seeds (from 3 on), their
number, from 10 on the interquartile mean. A claim is judged again over all of them. Numbers that
a paper published stand beside ours where there are any. Verdicts at scale=smoke never count.
"""

FORMATS = ("text", "markdown", "csv", "latex", "json")
SUFFIXES = {".md": "markdown", ".csv": "csv", ".tex": "latex", ".json": "json"}


def main(words: Sequence[str]) -> int:
    """Print the report or write it; 0, or 2 when nothing could be read or an option is wrong."""
    asked = _parser().parse_args(words)
    gathered = gather(asked.paths)
    for fault in gathered.faults:
        _say(fault)
    if not gathered.records and not gathered.sweeps:
        return 2
    try:
        found = document.document(gathered, _named(gathered, asked.paths), _wanted(asked))
    except ValueError as error:
        return _say(str(error)) or 2
    kind = asked.format or SUFFIXES.get(asked.out.suffix if asked.out else "", "text")
    if asked.out is None:
        _print(found, kind)
        return 0
    try:
        text = rendered(found, kind)
        store.write_whole(asked.out, lambda part: part.write_text(text, encoding="utf-8"))
    except OSError as error:
        return _say(f"{asked.out}: {error.strerror}") or 2
    print(f"report   {asked.out}")
    return 0


def rendered(found: document.Document, kind: str, *, width: int = 100) -> str:
    """The report as text in one of the formats."""
    if kind == "markdown":
        return document.markdown(found)
    if kind == "latex":
        return document.latex(found)
    if kind == "csv":
        return export.as_csv(found)
    if kind == "json":
        return (
            json.dumps(export.as_json(found), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        )
    buffer = io.StringIO()
    Console(file=buffer, width=width, color_system=None).print(document.terminal(found))
    return buffer.getvalue()


def _print(found: document.Document, kind: str) -> None:
    if kind == "text":
        Console().print(document.terminal(found))
    else:
        sys.stdout.write(rendered(found, kind))


def _named(gathered: Gathered, paths: Sequence[Path]) -> list[Any]:
    """The sweeps that were named themselves, not found below a folder of many."""
    named = {path.resolve() for path in paths}
    return [sweep for sweep in gathered.sweeps if sweep.folder.resolve() in named]


def _wanted(asked: argparse.Namespace) -> Wanted:
    given: dict[str, Any] = {}
    given |= {"show": asked.metrics} if asked.metrics else {}
    given |= {"rows": asked.rows} if asked.rows is not None else {}
    given |= {"baseline": dict(asked.baseline)} if asked.baseline else {}
    return Wanted(**given)


def _parser() -> argparse.ArgumentParser:
    parser = commands.parser("report", DESCRIPTION)
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    parser.add_argument("--format", choices=FORMATS, help="text, or what the name of FILE says")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write there: .md .csv .tex .json")
    parser.add_argument("--metrics", metavar="A,B", type=_list, help="only these; * is allowed")
    parser.add_argument("--rows", metavar="KEY,KEY", type=_list,
                        help="config keys that set rows apart (else: all that differ)")  # fmt: skip
    parser.add_argument("--baseline", metavar="KEY=VALUE", type=_pair, action="append",
                        help="also differences to the rows with this value")  # fmt: skip
    return parser


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text}")
    return key, value


def _say(line: str) -> None:
    print(f"feedrun: {line}", file=sys.stderr)
