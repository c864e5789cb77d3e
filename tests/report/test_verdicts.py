"""What a reader sees of the claims."""

import pytest

from feedrun.report import verdicts

ROW = {
    "name": "bounded", "statement": "lies | between", "source": "Thm 1", "origin": "paper",
    "metric": "x", "expected_low": 1.0, "expected_high": 2.0,
    "value": 1.43219, "low": 1.4, "high": 1.5, "n": 4, "verdict": "holds",
}  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.0, 2.0, "[1, 2]"),
        (None, 0.3, "<= 0.3"),
        (0.0, None, ">= 0"),
        (None, None, "any"),
        (1, 1, "1"),
    ],
)
def test_expected_interval_in_words(low, high, text):
    assert verdicts.expected(ROW | {"expected_low": low, "expected_high": high}) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "1.432 [1.4, 1.5]"),
        ({"low": 1.43219, "high": 1.43219}, "1.432"),
        ({"low": None, "high": None}, "1.432"),
        ({"value": None, "low": None, "high": None}, "-"),
        ({"value": 3.2e-15, "low": 3.2e-15, "high": 3.2e-15}, "3.2e-15"),
    ],
)
def test_measured_value_with_its_interval(change, text):
    assert verdicts.measured(ROW | change) == text


def test_tally_counts_verdicts_in_plain_words():
    rows = [{"verdict": v, "origin": "paper"} for v in ("holds", "holds", "fails", "undecided")]
    assert verdicts.tally(rows) == "2 hold, 1 fails, 1 undecided"
    rival = {"verdict": "holds", "origin": "rival"}
    assert verdicts.tally([*rows[:1], rival]) == "1 holds; rivals: 1 holds"
    assert verdicts.tally([]) == "no claims"


def test_markdown_escapes_what_would_break_the_table():
    table = verdicts.markdown([ROW])
    assert "lies \\| between" in table and "**holds**" in table
    assert {line.replace("\\|", "").count("|") for line in table.splitlines()} == {7}
