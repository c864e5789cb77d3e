"""A results table in words: one row a group with its metrics beside each other, or turned."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedrun.analysis import groups
from feedrun.analysis.groups import Cell
from feedrun.analysis.published import Number
from feedrun.analysis.results import Entry, Results, Row, results, wanted
from feedrun.records.store import Record
from feedrun.report.tables import Grid, markdown
from feedrun.report.verdicts import interval, number


def results_table(records: Sequence[Record], table: Mapping[str, Any] | None = None) -> Grid:
    """What rich prints of the records, as a named sweep's `table` wants it (None: all of it)."""
    return grid(results(records, wanted(table)))


def results_markdown(records: Sequence[Record], table: Mapping[str, Any] | None = None) -> str:
    """The same table in markdown."""
    return markdown(results_table(records, table))


def grid(found: Results) -> Grid:
    """Rows are groups; where there are more metrics than groups, rows are metrics."""
    marks = _marks(found)
    if len(found.metrics) > len(found.rows) and not found.others:
        return _metrics_down(found, marks)
    return _groups_down(found, marks)


def _groups_down(found: Results, marks: dict[Any, str]) -> Grid:
    parts = _parts(found)
    names = groups.short(found.keys)
    header = [
        *names.values(),
        "n",
        *(_head(m, part, found) for m in found.metrics for part in parts),
    ]
    rows = [_group_row(row, found, parts, marks) for row in found.rows]
    rows += [_other_row(name, found, parts, marks) for name in _names(found)]
    return _lean(Grid(found.title, header, rows, len(found.keys) + 1, _notes(found, marks)))


def _lean(grid: Grid) -> Grid:
    """Without columns in which nothing stands: not every metric was published."""
    kept = [c for c in range(len(grid.header)) if c < grid.keys or any(r[c] for r in grid.rows)]
    header, *rows = ([line[c] for c in kept] for line in (grid.header, *grid.rows))
    return grid._replace(header=header, rows=rows)


def _group_row(row: Row, found: Results, parts: list[str], marks: dict[Any, str]) -> list[str]:
    keys = [groups.text(row.group.values[key]) for key in found.keys]
    cells = [_part(entry, part, row, marks) for entry in row.entries for part in parts]
    return [*keys, runs(row.group.records), *cells]


def _names(found: Results) -> list[tuple[str, tuple[tuple[str, Any], ...]]]:
    """What was published of others: a row for each name and place, places in our rows' order."""
    rows = (
        (one.name, tuple((k, groups.text(_at(k, one))) for k in found.keys)) for one in found.others
    )
    places = [[groups.text(value) for value in row.group.values.values()] for row in found.rows]
    firsts = [place[0] for place in places if place]
    return sorted(
        dict.fromkeys(rows),
        key=lambda row: firsts.index(row[1][0][1]) if row[1] and row[1][0][1] in firsts else -1,
    )


def _at(key: str, one: Number) -> Any:
    return next((v for k, v in one.where.items() if key == k or key.endswith(f".{k}")), None)


def _other_row(
    other: tuple[str, tuple[tuple[str, Any], ...]], found: Results, parts: list[str],
    marks: dict[Any, str],
) -> list[str]:  # fmt: skip
    name, at = other
    keys = [value if value != "-" else name for _, value in at] or [name]
    cells = []
    for metric in found.metrics:
        own = [n for n in found.others if (n.metric, n.name) == (metric, name)
               and all(groups.text(_at(k, n)) == v for k, v in at)]  # fmt: skip
        cells += [_numbers(own, marks) if part == "mean" else "" for part in parts]
    return [*keys, "", *cells]


def _metrics_down(found: Results, marks: dict[Any, str]) -> Grid:
    parts = _parts(found)
    header = ["metric"]
    for row in found.rows:
        label = row.group.label or "value"
        count = runs(row.group.records)
        header += [
            f"{label}\nn={count}" if part == "mean" else _head(label, part, found) for part in parts
        ]
    rows = []
    for place, metric in enumerate(found.metrics):
        cells = [
            _part(row.entries[place], part, row, marks) for row in found.rows for part in parts
        ]
        rows.append([metric, *cells])
    return Grid(found.title, header, rows, 1, _notes(found, marks))


def _parts(found: Results) -> list[str]:
    """The columns that a metric needs: only those in which something stands."""
    entries = [entry for row in found.rows for entry in row.entries]
    there = {
        "mean": True,
        "chance": any(entry.chance is not None for entry in entries),
        "paper": any(entry.published for entry in entries),
        "difference": any(entry.difference for entry in entries),
        "iqm": any(entry.cell and entry.cell.iqm for entry in entries),
    }
    return [part for part, needed in there.items() if needed]


def _head(name: str, part: str, found: Results) -> str:
    words = {
        "mean": "",
        "iqm": "IQM",
        "difference": f"minus {found.baseline}",
        "paper": "published",
    }
    return f"{name}\n{words.get(part, part)}".rstrip("\n")


def _part(entry: Entry, part: str, row: Row, marks: dict[Any, str]) -> str:
    if part == "mean":
        complete = sum(record.state == "complete" for record in row.group.records)
        return shown(entry.cell, complete)
    if part == "iqm":
        iqm = entry.cell.iqm if entry.cell else None
        return interval(iqm.value, iqm.low, iqm.high) if iqm else ""
    if part == "difference":
        found = entry.difference
        if row.is_baseline or not found:
            return "baseline" if row.is_baseline else ""
        return interval(found.value, found.low, found.high)
    if part == "paper":
        return _numbers(entry.published, marks)
    return "" if entry.chance is None else number(entry.chance)


def shown(cell: Cell | None, complete: int) -> str:
    """'1.43 [1.4, 1.5]'; where fewer runs than are complete have the metric: how many."""
    if cell is None:
        return "-"
    fewer = f" (n={cell.n})" if cell.n != complete else ""
    return interval(cell.value, cell.low, cell.high) + fewer


def runs(records: Sequence[Record]) -> str:
    """'3', or '3 of 5' where two have not ended well."""
    complete = sum(record.state == "complete" for record in records)
    return f"{complete}" if complete == len(records) else f"{complete} of {len(records)}"


def _numbers(numbers: Sequence[Number], marks: dict[Any, str]) -> str:
    return "; ".join(f"{_number(one)} ({marks[one.source, one.setting]})" for one in numbers)


def _number(one: Number) -> str:
    if one.value is not None:
        return interval(one.value, one.low, one.high)
    if one.low is None or one.high is None:
        return f">= {number(one.low)}" if one.high is None else f"<= {number(one.high)}"
    return f"{number(one.low)} to {number(one.high)}"


def _marks(found: Results) -> dict[Any, str]:
    """A letter for each source of published numbers: (source, setting) -> 'a'."""
    numbers = [n for row in found.rows for entry in row.entries for n in entry.published]
    sources = dict.fromkeys((n.source, n.setting) for n in [*numbers, *found.others])
    return {source: _letter(place) for place, source in enumerate(sources)}


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"a{place}"


def _notes(found: Results, marks: dict[Any, str]) -> list[str]:
    cells = [entry.cell for row in found.rows for entry in row.entries if entry.cell]
    over = {cell.over for cell in cells}
    notes = []
    if "runs" in over:
        notes.append("[low, high]: 95% interval of the mean over n runs")
    if over & {"repeats", "fit"}:
        notes.append("[low, high] of a single run: 95% interval over its repeats or of its fit")
    if any(cell.iqm for cell in cells):
        notes.append("IQM: mean of the middle half of the runs, stratified bootstrap interval")
    if found.baseline:
        notes.append(f"minus {found.baseline}: mean of differences paired by seed, 95% interval")
    for (source, setting), mark in marks.items():
        notes.append(f"({mark}) {source}" + (f"; {setting}" if setting else ""))
    return [*found.notes, *notes]
