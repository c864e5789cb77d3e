"""Tables in four forms: nothing is cut, and nothing breaks the form."""

import csv
import io

import pytest
from rich.console import Console

from feedrun.report import tables, verdicts

GRID = tables.Grid(
    "A title",
    ["model", "n", "accuracy", "a metric with a very long name indeed\nIQM", "speed"],
    [["slay|x", "3", "0.4 [0.3, 0.5]", "0.41 [0.33, 0.47]", "1200"], ["[1, 2]", "", "", "", "7"]],
    2,
    ["a note"],
)


def printed(grid, width):
    buffer = io.StringIO()
    Console(file=buffer, width=width, color_system=None).print(grid)
    return buffer.getvalue()


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 200])
def test_every_word_is_there_at_any_width(width):
    text = printed(GRID, width)
    assert max(map(len, text.splitlines())) <= width and "…" not in text
    squeezed = "".join(text.split())
    for cell in ("slay|x", "0.33,0.47]", "1200", "[1,2]", "Atitle", "anote"):
        assert cell in squeezed
    if width >= 60:
        assert "0.41 [0.33, 0.47]" in text


def test_panels_repeat_the_keys_and_hold_all_columns_once():
    found = tables.panels(GRID, 44)
    assert len(found) > 1 and all(columns[:2] == [0, 1] for columns in found)
    assert [column for columns in found for column in columns[2:]] == [2, 3, 4]
    assert tables.panels(GRID, 200) == [[0, 1, 2, 3, 4]]


def test_a_row_with_nothing_in_a_panel_is_left_out_there():
    first, *_, last = printed(GRID, 44).split("n   ")[1:]
    assert "[1, 2]" not in first and "[1, 2]" in last


def test_markdown_keeps_its_columns():
    lines = tables.markdown(GRID).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6}
    assert lines[0] == "**A title**" and lines[-1] == "a note"


def test_latex_escapes_what_tex_would_read():
    text = tables.latex(GRID._replace(rows=[["a_b & 50%", "$x^2$", "{", "<= ~", "\\"]]))
    row = text.splitlines()[6]
    assert row == (
        r"a\_b \& 50\% & \$x\textasciicircum{}2\$ & \{ & $\le$ \textasciitilde{} & "
        r"\textbackslash{} \\"
    )
    assert text.count("\\begin") == text.count("\\end") == 2


def test_latex_rows_that_begin_with_a_bracket_are_no_option_of_the_row_above():
    rows = tables.latex(GRID).split("\\midrule")[1]
    assert not any(line.startswith("[") for line in rows.splitlines())


def test_comma_separated_reads_back():
    text = tables.comma_separated(["a", "b"], [["x, y", 'q"uote'], ["line\nbreak", None]])
    assert list(csv.reader(io.StringIO(text)))[1:] == [["x, y", 'q"uote'], ["line\nbreak", ""]]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.37716, 0.36681, 0.38861), "0.377 [0.367, 0.389]"),
        ((1.0, 0.6522, 1.0), "1.00 [0.65, 1.00]"),
        ((3.196e-16, 9.06e-17, 5.486e-16), "3.2e-16 [9.1e-17, 5.5e-16]"),
        ((12012.4, 9800.3, 14010.0), "12012 [9800, 14010]"),
        ((664.2, -167.2, 1496.0), "664 [-167, 1496]"),
        ((2.5, None, None), "2.5"),
        ((2.5, 2.5, 2.5), "2.5"),
        ((0.0, -0.001, 0.001), "0.0000 [-0.0010, 0.0010]"),
        ((1.0, 1 - 1e-12, 1 + 1e-12), "1.000"),
    ],
)
def test_a_number_is_as_exact_as_its_interval(numbers, text):
    assert verdicts.interval(*numbers) == text
