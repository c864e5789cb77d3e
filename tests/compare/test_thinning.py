"""Curves read from metrics.jsonl and thinned, against loops over the same rows."""

import json
import time

import numpy as np
import pytest

from feedrun.compare import thinning
from feedrun.runner.journal import DiskJournal


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def line(step, **metrics):
    return {"step": step, "time": step / 10, **metrics}


def read(path):
    """The curves of a file in which nothing is wrong."""
    found, faults = thinning.read(path)
    assert faults == []
    return found


def test_what_a_journal_wrote_is_read_back_number_for_number(tmp_path):
    disk = DiskJournal(tmp_path, [], every=1e9, mirror=lambda row: None, show=lambda *_: None)
    journal = disk.journal()
    for step in range(5):
        journal.scope("train").log(step, {"loss": 1 / (1 + step), "each": [step, 2.0 * step]})
    journal.log(7, {"accuracy": 0.5})
    disk.close()
    found = read(tmp_path / "metrics.jsonl")
    assert set(found) == {"train/loss", "train/each", "accuracy"}
    loss, each = found["train/loss"], found["train/each"]
    np.testing.assert_array_equal(loss.step, range(5))
    np.testing.assert_array_equal(loss.mean[:, 0], [1 / (1 + step) for step in range(5)])
    np.testing.assert_array_equal(each.mean, [[step, 2.0 * step] for step in range(5)])
    np.testing.assert_array_equal(each.low, [1.5 * step for step in range(5)])


def test_metrics_logged_apart_are_joined_by_step(tmp_path):
    rows = [line(0, a=1.0), line(1, a=2.0, b=5.0), line(2, b=6.0), line(3, a=4.0)]
    found = read(write(tmp_path / "m.jsonl", rows))
    assert found["a"].step.tolist() == [0, 1, 3] and found["a"].mean[:, 0].tolist() == [1, 2, 4]
    assert found["b"].step.tolist() == [1, 2] and found["b"].mean[:, 0].tolist() == [5, 6]


def test_a_chunk_has_the_mean_and_the_extremes_of_its_rows(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((10_000, 2))
    rows = [line(i, x=pair) for i, pair in enumerate(values.tolist())]
    curve = read(write(tmp_path / "m.jsonl", rows))["x"]
    assert len(curve.step) <= thinning.KEEP and curve.rows.sum() == 10_000
    start = 0
    for chunk, rows_in_it in enumerate(curve.rows):
        part = values[start : start + rows_in_it]
        start += rows_in_it
        np.testing.assert_allclose(curve.mean[chunk], part.mean(axis=0), rtol=1e-10, atol=1e-13)
        extremes = part.mean(axis=1).min(), part.mean(axis=1).max()
        np.testing.assert_allclose((curve.low[chunk], curve.high[chunk]), extremes, rtol=1e-12)
    np.testing.assert_allclose(curve.step[-1], np.arange(start - curve.rows[-1], start).mean())


@pytest.mark.parametrize("count", [1, 31, 33, 300, 10_000, 123_457])
@pytest.mark.parametrize("keep", [32, 256, 1024])
def test_chunks_fit_and_never_get_shorter(count, keep):
    starts = thinning.boundaries(count, keep)
    assert 0 < len(starts) <= keep and starts[0] == 0
    lengths = np.diff(starts, append=count)
    assert (lengths > 0).all()
    # A short chunk among long ones would stick out as noise; the last one takes what is left.
    assert (np.diff(lengths[:-1]) >= 0).all()
    assert len(lengths) < 3 or 2 * lengths[-1] >= lengths[-2]


def test_the_beginning_is_kept_finer_than_the_rest():
    starts = thinning.boundaries(100_000, 256)
    early = [((starts >= 10**k) & (starts < 10 ** (k + 1))).sum() for k in range(1, 4)]
    assert min(early) >= 10  # points in each decade of a logarithmic axis


def test_common_steps_hold_the_means_of_each_run_where_it_has_rows():
    rng = np.random.default_rng(1)
    steps = [np.arange(0, 4000.0), np.arange(0, 2000.0), np.arange(0, 4000.0, 7)]
    values = [rng.standard_normal((len(s), 1)) for s in steps]
    every = [thinning.thin(s, s / 3, v, keep=10**6) for s, v in zip(steps, values, strict=True)]
    grid, shared = thinning.common(every, 64)
    union = np.unique(np.concatenate(steps))
    edges = np.append(union[thinning.boundaries(len(union), 64)], np.inf)
    assert len(grid) == len(edges) - 1 <= 64
    for s, v, curve in zip(steps, values, shared, strict=True):
        for i in range(len(grid)):
            inside = v[(s >= edges[i]) & (s < edges[i + 1])]
            if not len(inside):
                assert np.isnan(curve.mean[i, 0]) and curve.rows[i] == 0
            else:
                np.testing.assert_allclose(curve.mean[i, 0], inside.mean(), rtol=1e-9, atol=1e-12)
                assert curve.low[i] == inside.min() and curve.high[i] == inside.max()


def test_few_steps_are_left_as_they_are():
    a = thinning.thin(np.arange(0.0, 10), np.arange(10.0), np.ones((10, 1)))
    b = thinning.thin(np.arange(5.0, 15), np.arange(10.0), np.zeros((10, 1)))
    grid, (first, second) = thinning.common([a, b], 64)
    np.testing.assert_array_equal(grid, np.arange(15.0))
    assert first.mean[:10, 0].tolist() == [1.0] * 10 and np.isnan(first.mean[10:]).all()
    assert np.isnan(second.mean[:5]).all()


@pytest.mark.parametrize("rest", ['{"step": 2, "ti', "", "\x00\x00"])
def test_a_torn_last_line_is_no_fault(tmp_path, rest):
    path = write(tmp_path / "m.jsonl", [line(0, a=1.0), line(1, a=2.0)])
    path.write_text(path.read_text() + rest)
    assert read(path)["a"].step.tolist() == [0, 1]


def test_a_last_line_without_its_end_counts(tmp_path):
    path = write(tmp_path / "m.jsonl", [line(0, a=1.0), line(1, a=2.0)])
    path.write_text(path.read_text().rstrip("\n"))
    assert read(path)["a"].step.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{not json", "m.jsonl:2 is left out, it is not JSON"),
        ('{"step": 1, "time": 0.1, "a": NaN}', "a is not finite in 1 rows"),
        ('{"step": 1, "time": 0.1, "a": "high"}', "a is left out, it is not always a number"),
        ('{"step": 1, "time": 0.1, "a": [1, 2]}', "a has rows with fewer or more repeats"),
        ("[1, 2]", "1 rows without step or time"),
        ('{"time": 0.1, "a": 3}', "1 rows without step or time"),
    ],
)
def test_what_a_hand_spoilt_is_said_and_the_rest_is_read(tmp_path, bad, words):
    path = write(tmp_path / "m.jsonl", [line(0, a=1.0, b=1.0), line(2, a=3.0, b=2.0)])
    first, last = path.read_text().splitlines()
    path.write_text(f"{first}\n{bad}\n{last}\n")
    found, (fault,) = thinning.read(path)
    assert words in fault and str(path) in fault
    assert found["b"].mean[:, 0].tolist() == [1, 2]


def test_rows_with_another_number_of_repeats_are_said_and_left_out(tmp_path):
    rows = [line(0, a=[1.0, 2.0]), line(1, a=[3.0, 4.0]), line(2, a=[1.0], b=1.0)]
    found, (fault,) = thinning.read(write(tmp_path / "m.jsonl", rows))
    assert "a has rows with fewer or more repeats" in fault
    assert found["a"].mean.tolist() == [[1, 2], [3, 4]] and found["b"].step.tolist() == [2]


def test_no_file_is_no_curve(tmp_path):
    assert thinning.read(tmp_path / "metrics.jsonl") == ({}, [])


def test_ten_thousand_rows_are_read_faster_than_parsed_row_by_row(tmp_path):
    rows = [line(i, **{"train/loss": i / 7, "train/largest": i / 3}) for i in range(10_000)]
    path = write(tmp_path / "m.jsonl", rows)

    def least(work):
        seconds = []
        for _ in range(5):
            began = time.process_time()
            work()
            seconds.append(time.process_time() - began)
        return min(seconds)

    by_row = least(lambda: [json.loads(row) for row in path.read_text().splitlines()])
    assert least(lambda: read(path)) < by_row / 1.5  # measured: under a third
