"""The compare page as one HTML file: data, curves, figures, styles and scripts, all inside.

Nothing is fetched, which the page's own content policy enforces. All data is base64, so that no
name in a record can end a script or start a tag.
"""

import base64
import gzip
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from feedrun.compare import curves as drawn
from feedrun.compare import data, runs
from feedrun.compare.thinning import Curve
from feedrun.records import store
from feedrun.records.find import Gathered
from feedrun.records.store import Record

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "data",
    "stats",
    "state",
    "plots",
    "curves",
    "panels",
    "scatter",
    "table",
    "sections",
    "main",
)
"""Our scripts in the order in which they are put together; uPlot comes before them."""

FIGURE_BYTES = 2_100_000
"""What figures may take; base64 adds a third."""

QUANTILES = 400
"""Degrees of freedom up to which the page is given Student's t."""

Read = Callable[[Path], tuple[dict[str, Curve], list[str]]]


def build(
    gathered: Gathered, place: Path, *, read: Read, live: float | None = None
) -> tuple[str, list[str]]:
    """The page, and a line for each thing wrong with the records.

    `place` is the folder it will lie in, `live` the seconds between rewrites.
    """
    found, faults = data.experiments(gathered, place), list(gathered.faults)
    members = {one["name"]: data.members(gathered, one["name"]) for one in found}
    curves = {name: _read(records, read, faults) for name, records in members.items()}
    packed, drawn_from = drawn.curves(found, curves, faults)
    elements = _figures(found, members, place)
    faults = list(dict.fromkeys(faults))
    content = {
        "written": store.now(),
        "live": live,
        "faults": faults,
        "drawn": drawn_from,
        "t": [runs.digits(stdtrit(n, 0.975)) for n in range(1, QUANTILES)],
        "experiments": found,
    }
    return _assembled(", ".join(members) or "no records", content, packed, elements), faults


def _read(records: Sequence[Record], read: Read, faults: list[str]) -> list[dict[str, Curve]]:
    """The curves of each record, by metric."""
    every = []
    for record in records:
        own, wrong = read(record.folder / "metrics.jsonl")
        faults += wrong
        every.append(own)
    return every


def _figures(
    found: Sequence[dict[str, Any]], members: Mapping[str, Sequence[Record]], place: Path
) -> list[bytes]:
    """Give each experiment its "figures"; those that fit are returned, the others only linked.

    A figure is [run, stem, number in the page or null, relative link, bytes].
    """
    room, inside = FIGURE_BYTES, []
    for one in found:
        one["figures"] = []
        for run, path in runs.figures(members[one["name"]]):
            size, number = path.stat().st_size, None
            if size <= room:
                room, number = room - size, len(inside)
                inside.append(path.read_bytes())
            link = runs.link(path, place)
            one["figures"].append([run, path.stem, number, link, size])
    return inside


def _assembled(title: str, content: Any, curves: bytes, figures: Iterable[bytes]) -> str:
    """The template with everything put in at once, so that nothing put in is itself filled in."""
    data = gzip.compress(json.dumps(content, allow_nan=False, ensure_ascii=False).encode(), 6)
    blocks = [_block("data", data), _block("curves", curves)]
    blocks += [_block(f"figure-{number}", figure) for number, figure in enumerate(figures)]
    parts = {
        "title": html.escape(title),
        "style": _asset("uPlot.min.css") + _asset("compare.css"),
        "library": _asset("uPlot.iife.min.js"),
        "script": "".join(_asset(f"{name}.js") for name in SCRIPTS),
        "blocks": "\n".join(blocks),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("compare.html"))


def _block(name: str, content: bytes) -> str:
    """Bytes that a script finds by id."""
    text = base64.b64encode(content).decode()
    return f'<script type="text/plain" id="block-{name}">{text}</script>'


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
