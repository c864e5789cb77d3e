"""Curves as the compare page takes them: on steps that runs share, rounded, packed together."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from feedrun.compare.thinning import Curve, common
from feedrun.maths import stats

VALUES = 1_000_000
"""Numbers that all curves of a page may have: 2.3 MB at most once they are packed."""

SIZES = [(points, True) for points in (512, 384, 256)]
SIZES += [(points, False) for points in (256, 192, 128, 96, 64, 48, 32)]
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


class Size(NamedTuple):
    """What the curves of one metric take.

    steps: different ones in all curves; times: time axes that no metric before had; repeated:
    curves with an interval over repeats.
    """

    steps: int
    curves: int
    times: int
    repeated: int

    def values(self, points: int, extremes: bool) -> int:
        """Numbers: means, times, extremes where rows are averaged, intervals over repeats."""
        arrays = self.curves * (3 if extremes and self.steps > points else 1)
        return min(self.steps, points) * (arrays + self.times + self.repeated)


def curves(
    found: Sequence[dict[str, Any]],
    runs: Mapping[str, Sequence[dict[str, Curve]]],
    faults: list[str],
) -> tuple[bytes, dict[str, Any]]:
    """Give each experiment its "curves"; returns their numbers, and how they were thinned.

    Where not even the fewest points fit, the metrics logged last are left out, which is a fault.
    """
    floats, sizes = Floats(), {name: _sizes(own) for name, own in runs.items()}
    every = [size for own in sizes.values() for size in own.values()]
    points, extremes = next(
        (s for s in SIZES if sum(size.values(*s) for size in every) <= VALUES), SIZES[-1]
    )
    room = VALUES
    for one in found:
        own, one["curves"] = sizes[one["name"]], []
        for metric, size in own.items():
            room -= size.values(points, extremes)
            if room >= 0:
                one["curves"].append(_shared(metric, runs[one["name"]], points, extremes, floats))
        if left := len(own) - len(one["curves"]):
            faults.append(
                f"{one['name']}: the curves of {left} of {len(own)} metrics do not fit into the "
                "page and are left out; compare fewer runs"
            )
    thinned = any(size.steps > points for size in every)
    return floats.packed(), {"points": points, "thinned": thinned, "extremes": extremes}


def _sizes(runs: Sequence[dict[str, Curve]]) -> dict[str, Size]:
    """The size of each metric, in the order in which they were logged."""
    sizes, seen = {}, set()
    for name in dict.fromkeys(name for own in runs for name in own):
        own = [run[name] for run in runs if name in run]
        times = {curve.time.tobytes() for curve in own} - seen
        seen |= times
        repeated = sum(curve.mean.shape[1] >= stats.MIN_REPEATS for curve in own)
        steps = len(np.unique(np.concatenate([curve.step for curve in own])))
        sizes[name] = Size(steps, len(own), len(times), repeated)
    return sizes


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
