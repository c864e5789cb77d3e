"""Execute a request in this process: records, mirrors, identity."""

import itertools
import json
import time

import pytest

from feedrun.records import store, sweeps
from feedrun.runner import execute as runner
from feedrun.runner import wandb


def execute(request, mirrors=(), lines=None):
    said = [] if lines is None else lines
    (outcome,) = runner.execute([request], sinks=lambda: mirrors, say=said.append)
    return outcome


def test_record_has_all_that_one_needs_to_do_it_again(request_of, tmp_path):
    record = execute(request_of()).record
    assert record.state == "complete" and record.folder.parent == tmp_path / "lab"
    assert set(record.run) >= {"config", "seed", "code", "versions", "device", "started", "process"}
    assert record.run["config"]["steps"] == 20
    assert set(record.summary) == {"distance", "repeats"}
    assert [row["name"] for row in record.claims] == ["close", "far"]
    assert record.seconds > 0


def test_sinks_folders_and_process_settings_do_not_change_the_id(request_of):
    identity = request_of().config_id
    same = [
        {"wandb": "disabled"},
        {"outputs": "elsewhere"},
        {"force": True},
        {"quiet": True},
        {"data_folder": "there"},
        {"checkpoint_seconds": 0},
        {"steps": 20.0},
    ]
    assert {request_of(**change).config_id for change in same} == {identity}
    other = [{"seed": 1}, {"steps": 21}, {"lr": 0.06}, {"scale": "smoke"}]
    assert len({identity, *(request_of(**change).config_id for change in other)}) == 5


def test_finished_config_is_not_run_again_unless_forced(request_of):
    first = execute(request_of())
    again = execute(request_of())
    forced = execute(request_of(force=True))
    assert (first.existed, again.existed, forced.existed) == (False, True, False)
    assert again.record.summary == first.record.summary == forced.record.summary


def test_sink_that_raises_at_every_call_loses_nothing(request_of):
    def broken(*_):
        raise ConnectionError("no such host")

    lines = []
    mirror = wandb.guarded(wandb.Sink(broken, broken, broken), lines.append)
    record = execute(request_of(), [mirror], lines).record
    assert record.state == "complete"
    assert len(store.read_rows(record.folder / "metrics.jsonl")) == 2
    assert len([line for line in lines if "no such host" in line]) == 1


def test_every_sink_call_comes_after_the_local_write(request_of):
    seen = []

    def start(run, rows, folder):
        seen.append(json.loads((folder / "run.json").read_text())["id"] == run["id"])

    def finish(folder):
        seen.append((folder / "summary.json").exists())

    def log(row):
        folder = request_of().folder
        seen.append(store.read_rows(folder / "metrics.jsonl")[-1] == row)

    execute(request_of(), [wandb.Sink(start, log, finish)])
    assert seen == [True] * 4


def test_failed_run_is_tried_again_when_asked_again(request_of):
    with pytest.raises(runner.Failed, match="RuntimeError: the experiment broke"):
        execute(request_of(trouble="raise"))
    folder = request_of(trouble="raise").folder
    assert store.load(folder).state == "failed"
    with pytest.raises(runner.Failed):
        execute(request_of(trouble="raise"))


def test_precision_is_the_experiments_and_comes_back(request_of):
    import jax

    before = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    for x64 in (True, False):
        with runner.precision(x64):
            assert (jax.numpy.zeros(1).dtype == jax.numpy.float64) == x64
    assert jax.config.jax_enable_x64 == before  # pyright: ignore[reportAttributeAccessIssue]


def test_missing_data_leaves_no_record_behind(request_of, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such data set"):
        execute(request_of(trouble="no-data", outputs=str(tmp_path / "out")))
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_goes_backwards_spoils_nothing(request_of, monkeypatch):
    wall = itertools.count(2_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: float(next(wall)))
    days = itertools.count(28, -1)
    monkeypatch.setattr(store, "now", lambda: f"2026-02-{next(days):02d}T00:00:00+00:00")
    interrupted = request_of(trouble="raise-late", log_every=5)
    with pytest.raises(runner.Failed):
        execute(interrupted)
    record = execute(request_of()).record
    again = execute(request_of())
    assert again.existed and again.record.seconds >= 0
    times = [row["time"] for row in store.read_rows(record.folder / "metrics.jsonl")]
    assert times == sorted(times) and times[0] >= 0
    assert sweeps.state(record.folder).name == "done"
    assert sweeps.state(interrupted.folder).name == "failed"
