"""Curves as the compare page takes them: on steps that runs share, rounded, packed together."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from feedrun.curves import Curve, common
from feedrun.maths import stats

VALUES = 1_000_000
"""Numbers that all curves of a page may have: 2.3 MB at most once they are packed."""

SIZES = (512, True), (384, True), (256, True), (256, False), (192, False), (128, False), (96, False), (64, False), (48, False), (32, False)  # fmt: skip
"""Points a curve, and whether it has the extremes of the rows averaged: the first that fits."""

MANTISSA = 14
"""Bits kept of each number: 1 in 30,000, beyond what a screen can show."""


class Floats:
    """Arrays laid end to end, each once, to be compressed together."""

    def __init__(self):
        self.parts: list[np.ndarray] = []
        self.places: dict[bytes, list[int]] = {}
        self.length = 0

    def add(self, values: np.ndarray, *, bits: int = MANTISSA) -> list[int]:
        """[offset, length] of the array in the whole."""
        array = rounded(values, bits=bits)
        place = self.places.setdefault(array.tobytes(), [self.length, len(array)])
        if place[0] == self.length:
            self.parts.append(array)
            self.length += len(array)
        return place

    def packed(self) -> bytes:
        """All first bytes, then all second ones..: like bytes side by side compress well."""
        whole = np.concatenate([np.zeros(0, np.float32), *self.parts])
        return gzip.compress(whole.view(np.uint8).reshape(-1, 4).T.tobytes(), 6, mtime=0)


def rounded(values: np.ndarray, *, bits: int) -> np.ndarray:
    """float32 with `bits` of its mantissa, so that the rest compresses away; NaN stays NaN."""
    raw = np.ascontiguousarray(values, np.float32).view(np.uint32)
    if bits < 23:
        kept = np.uint32(0xFFFFFFFF << (23 - bits) & 0xFFFFFFFF)
        raw = (raw + np.uint32(1 << (22 - bits))) & kept
    return raw.view(np.float32)


def curves(
    found: Sequence[dict[str, Any]],
    runs: Mapping[str, Sequence[dict[str, Curve]]],
    faults: list[str],
) -> tuple[bytes, dict[str, Any]]:
    """Give each experiment its "curves"; returns their numbers, and how they were thinned.

    Where not even the fewest points fit, the metrics logged last are left out, which is a fault.
    """
    floats, names = Floats(), {name: _metrics(own) for name, own in runs.items()}
    lengths = [_sizes(own, names[name]) for name, own in runs.items()]
    every = [size for sizes in lengths for size in sizes]
    points, extremes = next((s for s in SIZES if _total(every, *s) <= VALUES), SIZES[-1])
    room = VALUES
    for one, sizes in zip(found, lengths, strict=True):
        own, metrics = runs[one["name"]], names[one["name"]]
        kept = [m for m, size in zip(metrics, sizes, strict=True)
                if (room := room - _total([size], points, extremes)) >= 0]  # fmt: skip
        if len(kept) < len(metrics):
            left = len(metrics) - len(kept)
            faults.append(f"{one['name']}: the curves of {left} of {len(metrics)} metrics are "
                          "left out, they do not fit into the page; compare fewer runs")  # fmt: skip
        one["curves"] = [_shared(m, own, points, extremes, floats) for m in kept]
    thinned = any(len(curve.step) > points for own in runs.values() for r in own for curve in r.values())
    return floats.packed(), {"points": points, "thinned": thinned, "extremes": extremes}


def _metrics(runs: Sequence[dict[str, Curve]]) -> list[str]:
    return list(dict.fromkeys(name for own in runs for name in own))


def _sizes(
    runs: Sequence[dict[str, Curve]], names: Sequence[str]
) -> list[tuple[int, int, int, int]]:
    """(longest curve, runs, time axes not seen before, runs with repeats) of each metric."""
    sizes, seen = [], set()
    for name in names:
        own = [run[name] for run in runs if name in run]
        times = {curve.time.tobytes() for curve in own} - seen
        seen |= times
        repeated = sum(curve.mean.shape[1] >= stats.MIN_REPEATS for curve in own)
        sizes.append((max(len(curve.step) for curve in own), len(own), len(times), repeated))
    return sizes


def _total(sizes: Sequence[tuple[int, int, int, int]], points: int, extremes: bool) -> int:
    """Numbers that these curves take: means, times, extremes where rows are averaged, halves."""
    return sum(
        min(longest, points)
        * (runs * (1 + 2 * (extremes and longest > points)) + times + repeated)
        for longest, runs, times, repeated in sizes
    )


def _shared(
    name: str, runs: Sequence[dict[str, Curve]], points: int, extremes: bool, floats: Floats
) -> dict[str, Any]:
    """One metric on steps that its runs share: [run, mean, time, low, high, half] a run."""
    having = [index for index, own in enumerate(runs) if name in own]
    steps, shared = common([runs[index][name] for index in having], points)
    return {
        "name": name,
        "steps": floats.add(steps, bits=23),
        "runs": [
            [index, *_arrays(curve, extremes, floats)]
            for index, curve in zip(having, shared, strict=True)
        ],
    }


def _arrays(curve: Curve, extremes: bool, floats: Floats) -> Iterator[list[int] | None]:
    """Places of mean and time; of low and high where rows were averaged; of half with repeats.

    `half` is half the 95% interval of the mean over a run's repeats (Student's t).
    """
    repeats = curve.mean.shape[1]
    yield floats.add(curve.mean.mean(axis=1))
    yield floats.add(curve.time)
    averaged = extremes and bool((curve.rows > 1).any())
    yield floats.add(curve.low) if averaged else None
    yield floats.add(curve.high) if averaged else None
    if repeats < stats.MIN_REPEATS:
        yield None
    else:
        spread = curve.mean.std(axis=1, ddof=1) / repeats**0.5
        yield floats.add(stdtrit(repeats - 1, 0.975) * spread)
