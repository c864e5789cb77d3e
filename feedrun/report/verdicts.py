"""Verdict tables, for the terminal and for markdown."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from feedrun.records.store import Record

COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow", "not measured": "dim"}
SIGNS = {"holds": "+", "fails": "x", "undecided": "?", "not measured": "-"}


def number(value: float | int | None) -> str:
    """At most four significant digits, no trailing noise."""
    if value is None:
        return ""
    return f"{value:.4g}"


def expected(row: Mapping[str, Any]) -> str:
    """The claim's interval: '[1, 2]', '<= 0.3', '>= 0'."""
    low, high = row["expected_low"], row["expected_high"]
    if low is not None and high is not None:
        return f"{number(low)}" if low == high else f"[{number(low)}, {number(high)}]"
    if low is None and high is None:
        return "any"
    return f">= {number(low)}" if high is None else f"<= {number(high)}"


def measured(row: Mapping[str, Any]) -> str:
    """The measured value with its 95% interval, where it has one."""
    if row["value"] is None:
        return "-"
    if row["low"] is None or row["low"] == row["high"]:
        return number(row["value"])
    return f"{number(row['value'])} [{number(row['low'])}, {number(row['high'])}]"


def interval(value: float, low: float | None, high: float | None) -> str:
    """'0.377 [0.367, 0.389]', as exact as the interval is narrow; without one as `number`."""
    if low is None or high is None or low == high:
        return number(value)
    top = math.floor(math.log10(max(abs(low), abs(high), abs(value))))
    digits = min(max(top - math.floor(math.log10((high - low) / 2)) + 1, 1), 3)
    if -3 <= top < 5:
        words = [f"{one:.{max(digits - top, 0)}f}" for one in (value, low, high)]
    else:
        words = [f"{one:.{digits}e}" for one in (value, low, high)]
    return words[0] if len(set(words)) == 1 else f"{words[0]} [{words[1]}, {words[2]}]"


def tally(claims: Sequence[Mapping[str, Any]]) -> str:
    """'12 hold, 1 fails, 2 undecided; rivals: 1 holds': a rival that holds speaks against."""
    own = _counts([row for row in claims if row["origin"] != "rival"])
    rivals = _counts([row for row in claims if row["origin"] == "rival"])
    return "; ".join([own or "no claims", *([f"rivals: {rivals}"] if rivals else [])])


def _counts(claims: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(row["verdict"] for row in claims)
    words = {"holds": ("holds", "hold"), "fails": ("fails", "fail")}
    parts = []
    for verdict in COLOURS:
        if counts[verdict]:
            one, many = words.get(verdict, (verdict, verdict))
            parts.append(f"{counts[verdict]} {one if counts[verdict] == 1 else many}")
    return ", ".join(parts)


def verdict_table(record: Record) -> Table:
    """The claims of one record as a rich grid, two lines a claim; readable at 80 columns."""
    counted = record.run["scale"] != "smoke"
    title = f"{record.run['experiment']}: {tally(record.claims)}"
    table = Table.grid("verdict", "claim", padding=(0, 2), expand=False)
    table.title = title if counted else f"{title} (smoke: counts for nothing)"
    table.title_justify = "left"
    for row in record.claims:
        style = COLOURS[row["verdict"]] if counted else "dim"
        found = Text(measured(row), "bold") + Text(f"  expected {expected(row)}")
        source = Text(f"  {row['origin']}, {row['source']}", "dim")
        claim = Text(row["statement"]) + Text("\n") + found + source
        table.add_row(Text(f"{SIGNS[row['verdict']]} {row['verdict']}", style), claim)
    return table


def markdown(claims: Sequence[Mapping[str, Any]]) -> str:
    """The claims as a markdown table."""
    lines = ["| verdict | claim | expected | measured (95%) | n | origin, source |"]
    lines.append("|---|---|---|---|---|---|")
    for row in claims:
        cells = [f"**{row['verdict']}**", row["statement"], expected(row), measured(row)]
        cells += [str(row["n"]), f"{row['origin']}, {row['source']}"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
