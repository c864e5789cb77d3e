"""Curves packed for the page, unpacked again and set against what went in."""

import gzip
from typing import Any

import numpy as np
import pytest

from feedrun.compare import curves, thinning


def unpacked(packed):
    """What the page does: byte planes back to float32."""
    planes = np.frombuffer(gzip.decompress(packed), np.uint8).reshape(4, -1)
    return np.ascontiguousarray(planes.T).view(np.float32).ravel()


def run(points=50, *, repeats=1, metrics=("loss",), seed=0):
    rng = np.random.default_rng(seed)
    step = np.arange(points, dtype=float)
    made = {m: 10 ** rng.uniform(-12, 6, (points, repeats)) for m in metrics}
    return {m: thinning.thin(step, step / 3 + seed, values) for m, values in made.items()}


def packed(runs) -> tuple[Any, ...]:
    """(curves as the page gets them, all numbers, how they were thinned, faults)."""
    found: list[dict[str, Any]] = [{"name": "made"}]
    faults = []
    content, about = curves.curves(found, {"made": runs}, faults)
    return found[0]["curves"], unpacked(content), about, faults


def part(numbers, place):
    return numbers[place[0] : place[0] + place[1]]


def test_numbers_of_any_size_keep_four_digits_and_nan_stays():
    values = np.array([1e-30, -3.14159265, 1e25, 0.0, np.nan, 123456789.0])
    rounded = curves.rounded(values, bits=curves.MANTISSA)
    np.testing.assert_allclose(rounded, values, rtol=2.0**-15)  # NaN equals NaN here


def test_curves_come_out_as_they_went_in():
    runs = [run(seed=0), run(seed=1)]
    (curve,), numbers, about, faults = packed(runs)
    assert faults == [] and not about["thinned"]
    np.testing.assert_array_equal(part(numbers, curve["steps"]), np.arange(50))
    for number, own in enumerate(runs):
        index, mean, time, *others = curve["runs"][number]
        np.testing.assert_allclose(part(numbers, mean), own["loss"].mean[:, 0], rtol=2.0**-14)
        np.testing.assert_allclose(part(numbers, time), own["loss"].time, rtol=2.0**-14)
        assert index == number and others == [None, None, None]


def test_repeats_bring_the_interval_of_their_mean():
    (curve,), numbers, _, _ = packed([run(repeats=5)])
    own = run(repeats=5)["loss"].mean
    *_, half = curve["runs"][0]
    expected = 2.7764451 * own.std(axis=1, ddof=1) / 5**0.5  # t with 4 degrees of freedom
    np.testing.assert_allclose(part(numbers, half), expected, rtol=2.0**-13)


def test_what_is_equal_is_kept_once():
    (loss, error), _, _, _ = packed([run(metrics=("loss", "error"))])
    assert loss["runs"][0][2] == error["runs"][0][2]  # one clock
    assert loss["steps"] == error["steps"]


@pytest.mark.parametrize(("room", "points", "extremes"), [(60_000, 512, True), (8_000, 192, False)])
def test_points_are_given_up_before_the_page_is_too_large(monkeypatch, room, points, extremes):
    monkeypatch.setattr(curves, "VALUES", room)
    one = run(1024, metrics=("loss", "error", "norm"))
    many = [
        {name: curve._replace(time=curve.time + n) for name, curve in one.items()}
        for n in range(10)
    ]
    found, numbers, about, faults = packed(many)
    assert len(numbers) <= room and faults == []
    assert about == {"points": points, "thinned": True, "extremes": extremes}
    assert len(found) == 3 and all(len(curve["runs"]) == 10 for curve in found)


def test_metrics_that_cannot_fit_are_counted(monkeypatch):
    monkeypatch.setattr(curves, "VALUES", 2_000)
    found, numbers, _, (fault,) = packed([run(64, metrics=[f"m{i}" for i in range(8)])] * 10)
    assert len(numbers) <= curves.VALUES
    assert 0 < len(found) < 8 and f"the curves of {8 - len(found)} of 8 metrics" in fault
    assert [curve["name"] for curve in found] == [f"m{i}" for i in range(len(found))]
