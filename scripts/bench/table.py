"""Outcomes as text, as JSON, and two JSON files side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.bench.measure import Outcome, Row, Spread, paired_ratio, spread

WIDTH = 44


def lines(outcome: Outcome) -> Iterator[str]:
    """A case as a few lines: one a contestant, then load, ceiling and gates."""
    sizes = ", ".join(f"{k} {v}" for k, v in outcome.sizes.items())
    yield f"{outcome.name}   ({sizes})"
    head = f"{'':{WIDTH}}{'median':>10}{'min':>10}{'+-':>9}{'ratio':>20}{'error':>9}{'cores':>7}"
    yield head + f"{'first':>9}"
    ours = next(iter(outcome.rows.values()))
    for name, row in outcome.rows.items():
        yield _row(name, row, ours)
    yield "  " + ", ".join(_remarks(outcome))


def _row(name: str, row: Row, ours: Row) -> str:
    if not row.seconds:
        return f"  {name:{WIDTH - 2}}{row.status:>10}   {row.note}"
    times, ratio = spread(row.seconds), ""
    if row is not ours and ours.seconds:
        median, half = paired_ratio(ours.seconds, row.seconds)
        ratio = f"{median:.3g}x +-{half:.2g}"
    return (
        f"  {name:{WIDTH - 2}}{time(times.median):>10}{time(min(row.seconds)):>10}"
        f"{time(times.half_iqr):>9}{ratio:>20}{row.error:>9.0e}{row.cores:>7.2f}"
        f"{time(row.compile or 0):>9}   {row.note}"
    )


def _remarks(outcome: Outcome) -> Iterator[str]:
    if outcome.load is not None:
        disturbed = any(row.status == "disturbed" for row in outcome.rows.values())
        yield f"other load {outcome.load:.0%}" + (" DISTURBED" if disturbed else "")
    if outcome.ceiling is not None:
        yield f"share of the matmul ceiling {outcome.ceiling.median:.0%}"
    for gate, verdict in outcome.gates.items():
        yield f"gate {gate}: {verdict}"


def time(seconds: float) -> str:
    """Seconds with three digits and the unit that suits them."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON, every round of every contestant in it."""
    rows = {name: row._asdict() for name, row in outcome.rows.items()}
    ceiling = outcome.ceiling._asdict() if outcome.ceiling else None
    return outcome._asdict() | {"rows": rows, "ceiling": ceiling}


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Time of each contestant in `before` over that in `after`, by case: above 1 is faster now."""
    yield f"{'case, contestant':{WIDTH + 20}}{'before':>14}{'after':>14}{'before/after':>16}"
    plain = re.compile(r"^([A-Z]\.?\d) ")  # older reports begin a case with its script's name
    old = {plain.sub("", case["name"]): case for case in before["cases"]}
    for case in after["cases"]:
        for name, row in case["rows"].items():
            earlier = old.get(plain.sub("", case["name"]), {}).get("rows", {}).get(name, {})
            yield f"{case['name'][:40]}, {name[:20]}".ljust(WIDTH + 20) + _change(earlier, row)


def _change(earlier: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    if not (earlier.get("seconds") and row["seconds"]):
        return f"{earlier.get('status', 'absent'):>14}{row['status']:>14}"
    old, new = spread(earlier["seconds"]), spread(row["seconds"])
    relative = old.half_iqr / old.median + new.half_iqr / new.median
    ratio = Spread(old.median / new.median, old.median / new.median * relative)
    change = f"{ratio.median:.2f} +-{ratio.half_iqr:.2f}"
    doubt = "   disturbed" if "disturbed" in (earlier["status"], row["status"]) else ""
    return f"{time(old.median):>14}{time(new.median):>14}{change:>16}{doubt}"
