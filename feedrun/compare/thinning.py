"""Metrics over time, read fast and thinned: what a page can draw of a million logged rows.

Rows are averaged in chunks, in two stages. `read` thins one run to at most KEEP chunks, so that a
thousand runs fit into memory; `common` then puts the runs of one metric on steps they share. Both
stages keep means (over rows), minima and maxima exactly.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

KEEP = 1024
"""Chunks that `read` keeps of one curve."""

NOT_METRICS = ("step", "time", "scope")


class Curve(NamedTuple):
    """One metric of one run in N chunks of rows, R repeats (1 where a row holds one number).

    step, time, rows (N,): mean step, mean time and number of rows of a chunk.
    mean (N, R): each repeat's mean. low, high (N,): extremes over rows of the mean over repeats.
    """

    step: np.ndarray
    time: np.ndarray
    rows: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read(path: Path) -> tuple[dict[str, Curve], list[str]]:
    """The thinned curves of a metrics.jsonl by metric, and a line for each thing wrong in it.

    A torn last line is no fault: the run is being written. 10,000 rows of 3 metrics take 6 ms.
    """
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        return {}, [f"{path}: {error.strerror}"]
    whole = data[: data.rfind(b"\n") + 1]
    whole = data if _is_json(data[len(whole) :]) else whole
    faults: list[str] = []
    try:
        # One call for all lines: a third of the time that json needs for it, line by line.
        rows = orjson.loads(b"[" + whole.rstrip(b"\n").replace(b"\n", b",") + b"]")
    except ValueError:
        rows = list(_readable(path, whole, faults))
    return _curves(path, rows, faults), faults


def _is_json(text: bytes) -> bool:
    """Whether a last line that does not end is whole all the same (somebody's editor)."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _readable(path: Path, data: bytes, faults: list[str]) -> Iterator[Any]:
    """The rows that are JSON, where some line is not (NaN is none, but json reads it)."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            if line.strip():
                yield json.loads(line)
        except ValueError as error:
            faults.append(f"{path}:{number} is left out, it is not JSON: {error}")


def _curves(path: Path, rows: Sequence[Any], faults: list[str]) -> dict[str, Curve]:
    """Rows of one set of keys become columns at once; a metric's columns are joined by step."""
    found: dict[str, list[tuple[np.ndarray, ...]]] = {}
    for keys, alike in _layouts(rows):
        if "step" not in keys or "time" not in keys:
            faults.append(f"{path}: {len(alike)} rows without step or time are left out")
            continue
        step, time = (_column(path, name, alike, faults) for name in ("step", "time"))
        for name in keys:
            if name not in NOT_METRICS:
                values = _column(path, name, alike, faults)
                if step is not None and time is not None and values is not None:
                    found.setdefault(name, []).append((step[:, 0], time[:, 0], values))
    thinned = {name: thin(*_joined(path, name, parts, faults)) for name, parts in found.items()}
    return {name: curve for name, curve in thinned.items() if len(curve.step)}


def _layouts(rows: Sequence[Any]) -> Iterator[tuple[tuple[str, ...], Sequence[Any]]]:
    """The rows by the keys that they have; what is no row comes under no key at all."""
    if any(kind is not dict for kind in set(map(type, rows))):
        yield (), [row for row in rows if not isinstance(row, dict)]
        rows = [row for row in rows if isinstance(row, dict)]
    kinds = dict.fromkeys(map(tuple, rows))
    for keys in kinds:
        yield keys, rows if len(kinds) == 1 else [row for row in rows if tuple(row) == keys]


def _column(
    path: Path, name: str, rows: Sequence[Mapping[str, Any]], faults: list[str]
) -> np.ndarray | None:
    """A metric of rows that all have it, (N, R); None with a fault where it is no number."""
    try:
        values = np.array([row[name] for row in rows], float)
    except (TypeError, ValueError):
        faults.append(f"{path}: {name} is left out, it is not always a number or one a repeat")
        return None
    return values.reshape(len(rows), -1) if values.size else None


def _joined(
    path: Path, name: str, parts: list[tuple[np.ndarray, ...]], faults: list[str]
) -> tuple[np.ndarray, ...]:
    """The parts of one metric as (step, time, values), by step; a NaN is a fault and left out."""
    usual = max(parts, key=lambda part: len(part[0]))[2].shape[1]
    same = [part for part in parts if part[2].shape[1] == usual]
    if len(same) < len(parts):
        faults.append(f"{path}: {name} has rows with fewer or more repeats, left out")
    step, time, values = (np.concatenate(column) for column in zip(*same, strict=True))
    good = np.isfinite(values).all(axis=1) & np.isfinite(step) & np.isfinite(time)
    if not good.all():
        faults.append(f"{path}: {name} is not finite in {(~good).sum()} rows, left out")
    order = np.flatnonzero(good)[np.argsort(step[good], kind="stable")]
    return step[order], time[order], values[order]


def thin(step: np.ndarray, time: np.ndarray, values: np.ndarray, *, keep: int = KEEP) -> Curve:
    """Rows (N,), (N,), (N, R), sorted by step, averaged in at most `keep` chunks."""
    starts = boundaries(len(step), keep)
    rows = np.diff(starts, append=len(step))
    if len(starts) == len(step):
        middle = values.mean(axis=1)
        return Curve(step, time, rows, values, middle, middle)
    total, middle = np.add.reduceat(values, starts, axis=0), values.mean(axis=1)
    return Curve(
        np.add.reduceat(step, starts) / rows,
        np.add.reduceat(time, starts) / rows,
        rows,
        total / rows[:, None],
        np.minimum.reduceat(middle, starts),
        np.maximum.reduceat(middle, starts),
    )


@functools.lru_cache(maxsize=256)
def boundaries(count: int, keep: int) -> np.ndarray:
    """Where at most `keep` chunks of `count` rows begin.

    Chunks grow with their position, so that the beginning of a curve on a logarithmic axis is not
    drawn from a handful of points, until they are as long as the rest, all alike: a short chunk
    among long ones would stick out as noise that the others have averaged away.
    """
    if count <= keep:
        return np.arange(count)
    longest = count // keep + 1
    while len(starts := _growing(count, longest, share=min(0.7, 48 / keep))) > keep:
        longest += longest // 16 + 1
    return np.array(starts)


def _growing(count: int, longest: int, *, share: float) -> list[int]:
    """Chunks of `share` of what lies before them, at least 1 row and at most `longest`.

    A rest of less than half a chunk is part of the last one.
    """
    starts, place = [], 0
    while place < count:
        starts.append(place)
        place += max(1, min(longest, int(place * share)))
    short = len(starts) > 1 and count - starts[-1] < (starts[-1] - starts[-2]) / 2
    return starts[:-1] if short else starts


def common(curves: Sequence[Curve], points: int) -> tuple[np.ndarray, list[Curve]]:
    """All curves on at most `points` steps that they share; NaN where a curve has no row.

    Returns the steps (P,) and each curve with (P,) and (P, R) arrays.
    """
    steps = np.unique(np.concatenate([curve.step for curve in curves]))
    starts = boundaries(len(steps), points)
    edges = steps[starts]
    grid = np.add.reduceat(steps, starts) / np.diff(starts, append=len(steps))
    return grid, [_onto(edges, curve) for curve in curves]


def _onto(edges: np.ndarray, curve: Curve) -> Curve:
    """One curve on the buckets that begin at `edges`."""
    bucket = np.searchsorted(edges, curve.step, side="right") - 1
    first = np.flatnonzero(np.diff(bucket, prepend=-1))
    filled = bucket[first]
    rows = np.add.reduceat(curve.rows, first)
    weight = curve.rows[:, None]

    def spread(values: np.ndarray, empty: float = np.nan) -> np.ndarray:
        whole = np.full((len(edges), *values.shape[1:]), empty)
        whole[filled] = values
        return whole

    return Curve(
        spread(np.add.reduceat(curve.step * curve.rows, first) / rows),
        spread(np.add.reduceat(curve.time * curve.rows, first) / rows),
        spread(rows, 0.0),
        spread(np.add.reduceat(curve.mean * weight, first, axis=0) / rows[:, None]),
        spread(np.minimum.reduceat(curve.low, first)),
        spread(np.maximum.reduceat(curve.high, first)),
    )
