"""One table, four forms: terminal, markdown, LaTeX, CSV. Nothing is ever cut."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

GAP = 2
"""Blanks between columns in the terminal."""

WIDEST_HEADER = 24
"""A longer header is folded before it widens its column in the terminal."""

SENTENCE = 40
"""A column with longer words becomes a paragraph in LaTeX."""


class Grid(NamedTuple):
    """Words in rows and columns; the first `keys` columns name the row.

    In the terminal a grid that is too wide becomes several below each other, each with the keys
    and with the rows that say something there.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    keys: int
    notes: list[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Rich's protocol: one table a panel of columns that fit."""
        if self.title:
            yield Text(self.title, "bold")
        for place, columns in enumerate(panels(self, options.max_width)):
            yield from [Text("")] if place else []
            yield _panel(self, columns)
        for note in self.notes:
            yield Text(note, "dim")


def panels(grid: Grid, width: int) -> list[list[int]]:
    """The columns of each panel: the keys, then as many others as fit (at least one)."""
    widths = [_width(grid, column) + GAP for column in range(len(grid.header))]
    names = list(range(grid.keys))
    room = width - sum(widths[: grid.keys])
    found: list[list[int]] = [[]]
    for column in range(grid.keys, len(grid.header)):
        if found[-1] and sum(widths[c] for c in found[-1]) + widths[column] > room:
            found.append([])
        found[-1].append(column)
    return [names + columns for columns in found]


def _width(grid: Grid, column: int) -> int:
    lines = grid.header[column].split("\n")
    header = min(max(map(cell_len, lines)), WIDEST_HEADER)
    return max([header, *(cell_len(row[column]) for row in grid.rows)])


def _panel(grid: Grid, columns: Sequence[int]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, GAP, 0, 0), show_edge=False)
    for column in columns:
        head = Text(grid.header[column], overflow="fold")
        table.add_column(head, overflow="fold", max_width=max(_width(grid, column), 1))
    for row in grid.rows:
        if any(row[column] for column in columns[grid.keys :]):
            table.add_row(*(Text(row[column]) for column in columns))
    return table


def markdown(grid: Grid) -> str:
    """The grid as a markdown table below its title; notes below that."""
    lines = [f"**{grid.title}**", ""] if grid.title else []
    lines += [_line(grid.header), "|" + "---|" * len(grid.header)]
    lines += [_line(row) for row in grid.rows]
    return "\n".join(lines + [line for note in grid.notes for line in ("", note)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|").replace("\n", ", ") for c in cells) + " |"


def latex(grid: Grid) -> str:
    """The grid as a table environment (needs booktabs); notes below the rules."""
    body = [_row(grid.header), "\\midrule", *map(_row, grid.rows)]
    kinds = "".join(_kind(grid, column) for column in range(len(grid.header)))
    lines = ["\\begin{table}", "\\centering", f"\\begin{{tabular}}{{{kinds}}}", "\\toprule"]
    lines += [*body, "\\bottomrule", "\\end{tabular}"]
    lines += [f"\n{{\\footnotesize {escaped(note)}}}" for note in grid.notes]
    lines += [f"\\caption{{{escaped(grid.title)}}}"] if grid.title else []
    return "\n".join([*lines, "\\end{table}"])


def _kind(grid: Grid, column: int) -> str:
    """Sentences are set in a paragraph, keys to the left, numbers to the right."""
    if _width(grid, column) > SENTENCE:
        return "p{0.35\\linewidth}"
    return "l" if column < grid.keys else "r"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(escaped(cell.replace("\n", ", ")) for cell in cells) + " \\\\"


TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",
    "|": r"$|$",
    "<=": r"$\le$",
    ">=": r"$\ge$",
    "<": r"$<$",
    ">": r"$>$",
}
TEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
_TEX = re.compile("|".join(map(re.escape, TEX)))


def escaped(text: str) -> str:
    """Text as LaTeX prints it."""
    return _TEX.sub(lambda found: TEX[found[0]], text)


def comma_separated(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A CSV file's content; None is an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
