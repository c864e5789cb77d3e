"""Claims over all runs of a config, and over all configs: one block a claim, one line a config."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from feedrun.analysis import groups
from feedrun.analysis.claims import Pooled, counted, pooled
from feedrun.records.store import Record
from feedrun.report import verdicts as report
from feedrun.report.tables import Grid

MANY = 6
"""More configs of one verdict on one claim than this are one line (markdown and CSV have all)."""


class Line(NamedTuple):
    """One claim on the runs of one config; `label` says what sets that config apart."""

    experiment: str
    label: str
    counts: bool
    pooled: Pooled


def claim_lines(records: Sequence[Record]) -> list[Line]:
    """Every claim on every config of every experiment, experiments and configs in order."""
    complete = [record for record in records if record.state == "complete"]
    names = dict.fromkeys(record.run["experiment"] for record in complete)
    lines = []
    for name in names:
        own = [record for record in complete if record.run["experiment"] == name]
        for group in groups.groups(own):
            counts = counted(group.records[0])
            lines += [Line(name, group.label, counts, one) for one in pooled(group.records)]
    return lines


def verdicts(lines: Sequence[Line]) -> str:
    """'12 hold, 1 fails', and that smoke verdicts do not count, where there are any."""
    real = [line.pooled.row for line in lines if line.counts]
    if len(real) == len(lines):
        return report.tally(real)
    smoke = (
        f"smoke, counts for nothing: {report.tally([x.pooled.row for x in lines if not x.counts])}"
    )
    return f"{report.tally(real)} ({smoke})" if real else smoke


def claims_table(lines: Sequence[Line]) -> Table:
    """The claims as a rich grid, readable at 80 columns: as in `report.verdict_table`."""
    table = Table.grid("verdict", "claim", padding=(0, 2), expand=False)
    for block in _blocks(lines):
        row = block[0].pooled.row
        about = Text(f"{row['origin']}, {row['source']}", "dim")
        if len(block) == 1:
            found = _found(block[0]) + Text(f"  expected {report.expected(row)}  ") + about
            table.add_row(_verdict(block[0]), Text(f"{row['statement']}\n") + found)
            continue
        head = Text(f"{row['statement']}\n") + Text(f"expected {report.expected(row)}  ") + about
        table.add_row("", head)
        for same in _by_verdict(block):
            table.add_row(_verdict(same[0]), _together(same, block))
    return table


def _by_verdict(block: Sequence[Line]) -> list[list[Line]]:
    """The lines one by one, or those of one verdict together where they are many."""
    found: dict[Any, list[Line]] = {}
    for line in block:
        found.setdefault((line.pooled.row["verdict"], line.counts), []).append(line)
    return [
        part
        for own in found.values()
        for part in ([own] if len(own) > MANY else [[x] for x in own])
    ]


def _together(same: Sequence[Line], block: Sequence[Line]) -> Text:
    """One config with its value, or how many and from where to where their values lie."""
    if len(same) == 1:
        return Text(f"{same[0].label}  ") + _found(same[0])
    values = [value for line in same if (value := line.pooled.row["value"]) is not None]
    span = f"{report.number(min(values))} to {report.number(max(values))}" if values else "-"
    return Text.assemble(f"{len(same)} of {len(block)} configs  ", (span, "bold"))


def claims_grid(lines: Sequence[Line]) -> Grid:
    """The claims as a grid for markdown and LaTeX; a column of runs where there are several."""
    several = len({line.label for line in lines}) > 1
    header = ["verdict", "claim", *(["runs"] if several else [])]
    header += ["expected", "measured (95%)", "n", "origin, source"]
    rows = []
    for block in _blocks(lines):
        for line in block:
            row = line.pooled.row
            verdict = row["verdict"] + ("" if line.counts else " (smoke, does not count)")
            cells = [verdict, row["statement"], *([line.label] if several else [])]
            cells += [report.expected(row), report.measured(row), how_many(line.pooled)]
            rows.append([*cells, f"{row['origin']}, {row['source']}"])
    return Grid("", header, rows, len(header) - 4, [])


def _blocks(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of one claim together; a claim that expects another interval is another."""
    found: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        row = line.pooled.row
        what = (line.experiment, row["name"], row["expected_low"], row["expected_high"])
        found.setdefault(what, []).append(line)
    return list(found.values())


def _verdict(line: Line) -> Text:
    verdict = line.pooled.row["verdict"]
    style = report.COLOURS.get(verdict, "") if line.counts else "dim"
    return Text(f"{report.SIGNS.get(verdict, '-')} {verdict}", style)


def _found(line: Line) -> Text:
    words = how_many(line.pooled)
    value = (report.measured(line.pooled.row), "bold")
    return Text.assemble(value, f"  {words}" if words else "")


def how_many(found: Pooled) -> str:
    """'range of 3 runs; alone 2 hold, 1 fails', '16 repeats', nothing for one number."""
    if found.runs == 1 and found.over == "repeats":
        return f"{found.row['n']} repeats"
    if sum(found.own.values()) == 1:
        return ""
    words = f"{'range of ' * (found.over == 'range')}{found.runs} runs"
    agree = set(found.own) == {found.row["verdict"]}
    own = report.tally(
        [{"verdict": v, "origin": ""} for v, n in found.own.items() for _ in range(n)]
    )
    return words if agree else f"{words}; alone {own}"
