"""The feed: papers, their experiments, what each asks, and the last verdicts on this machine."""

import ast
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from feedrun import papers
from feedrun.cli import claims
from feedrun.records import store
from feedrun.report import verdicts


class Paper(NamedTuple):
    """What the docstring of feedrun/papers/<name>/__init__.py says."""

    name: str
    short: str
    title: str
    arxiv: str


class Entry(NamedTuple):
    """An experiment as its yaml describes it."""

    name: str
    about: dict[str, Any]
    target: str


def paper_list() -> list[Paper]:
    """All papers, read without importing them."""
    found = []
    for folder in papers.__path__:
        for module in pkgutil.iter_modules([folder]):
            text = (Path(folder) / module.name / "__init__.py").read_text()
            doc = ast.get_docstring(ast.parse(text)) or module.name
            found.append(_paper(module.name, doc.splitlines()))
    return found


def _paper(name: str, lines: list[str]) -> Paper:
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return Paper(name, lines[0].rstrip("."), fields.get("Title", ""), fields.get("arXiv", ""))


def entries(config_folders: Sequence[Path]) -> Iterator[Entry]:
    """All experiments in the config folders that can be read."""
    for folder in config_folders:
        for path in sorted((folder / "experiment").glob("*.yaml")):
            content = yaml.load(path.read_text(), claims.LOADER) or {}
            yield Entry(path.stem, content.get("about", {}), content.get("_target_", ""))


def feed(console: Console, config_folders: Sequence[Path], outputs: Path) -> None:
    """Print the feed."""
    last = {}
    for record in store.records(outputs):
        if record.state == "complete" and record.run["scale"] != "smoke":  # smoke never counts
            last[record.run["experiment"]] = record
    found = list(entries(config_folders))
    known = paper_list()
    for paper in known:
        own = [entry for entry in found if entry.about.get("paper") == paper.name]
        console.print(_heading(paper, bool(own)))
        for entry in own:
            console.print(_block(entry, last.get(entry.name)))
    others = [e for e in found if e.about.get("paper") not in {p.name for p in known}]
    if others:
        console.print(Text("\nYour own", "bold"))
        for entry in others:
            console.print(_block(entry, last.get(entry.name)))
    console.print("\nfeedrun experiment=NAME runs one; feedrun --help explains.", style="dim")


def _heading(paper: Paper, built: bool) -> Text:
    note = "" if built else "  no experiment yet"
    head = (
        Text(f"\n{paper.short}", "bold") + Text(f"  arXiv {paper.arxiv}", "dim") + Text(note, "dim")
    )
    return head + Text(f"\n{paper.title}", "italic")


def _block(entry: Entry, record: store.Record | None) -> Padding:
    minutes = entry.about.get("minutes", {}).get("laptop")
    size = f"  about {minutes:g} min" if minutes else ""
    lines = [
        Text(entry.name, "bold cyan") + Text(size, "dim"),
        Text(entry.about.get("question", "")),
    ]
    if record:
        when = f"last: {record.run['scale']}, seed {record.run['seed']}: "
        lines.append(Text(when, "dim") + Text(verdicts.tally(record.claims)))
    else:
        claimed = claims.count(entry.target)
        lines.append(Text(f"not run here yet{': ' * bool(claimed)}{claimed}", "dim"))
    return Padding(Group(*lines), (0, 0, 0, 2))
