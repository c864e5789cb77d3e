"""Whatever lies under a path is found once, and whatever is wrong there is said in one line."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from feedrun.records import find, store, sweeps
from tests import made


def found(*paths):
    """What gathering gives: ids, and faults."""
    got = find.gather(paths)
    return [record.run["id"] for record in got.records], got.faults


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made.grid(tmp_path / "outputs")
    made.record(tmp_path / "outputs", id="single", experiment="other", minute=100)
    return tmp_path / "outputs"


def test_each_kind_of_path_gives_its_records_oldest_first(outputs):
    grid = [f"{size:04d}{seed:08d}" for size in (16, 32) for seed in range(3)]
    assert found(outputs) == ([*grid, "single"], [])
    assert found(outputs / "made") == (grid, [])
    assert found(outputs / "sweeps" / "grid-1234") == (grid, [])
    assert found(outputs / "other" / "single") == (["single"], [])
    assert found(outputs.parent) == ([*grid, "single"], [])
    assert found(outputs / "other", outputs / "made" / grid[0]) == ([grid[0], "single"], [])


def test_a_record_reached_twice_is_there_once_and_named_relative_to_here(outputs):
    link = outputs.parent / "link"
    link.symlink_to(outputs)
    got = find.gather([outputs / "other", outputs, link])
    assert len(got.records) == 7 and not got.faults and len(got.sweeps) == 1
    assert got.records[-1].folder.parts[-3:] == ("outputs", "other", "single")
    assert not find.gather([outputs / "other"]).records[0].folder.is_absolute()


def test_a_sweep_is_found_from_inside_its_own_folder(outputs, monkeypatch):
    monkeypatch.chdir(outputs / "sweeps" / "grid-1234")
    assert len(find.gather([Path(".")]).records) == 6


def test_jobs_of_a_sweep_that_have_no_record_are_queued(outputs):
    one = sweeps.read(outputs / "sweeps" / "grid-1234")
    later = sweeps.Job("later", "made", outputs / "made" / "later", {"size": 64, "seed": 0})
    sweeps.write(one._replace(jobs=[*one.jobs, later]))
    got = find.gather([one.folder])
    assert [job.id for job in find.queued(got)] == ["later"] and not got.faults
    made.record(outputs, id="later", state="unfinished")
    assert not find.queued(find.gather([one.folder]))


def test_unfinished_and_failed_runs_are_kept_with_their_state(outputs):
    made.record(outputs, id="half", experiment="other", state="unfinished", minute=200)
    made.record(outputs, id="broken", experiment="other", state="failed", minute=300)
    (outputs / "other" / "broken" / "failure.json").touch()
    got = find.gather([outputs / "other"])
    assert [record.state for record in got.records] == ["complete", "unfinished", "failed"]
    assert got.records[-1].error == "RuntimeError: it broke" and not got.faults


def test_what_is_no_folder_of_records_is_said_and_the_rest_is_read(outputs):
    (outputs / "empty").mkdir()
    (outputs / "file").touch()
    bad = [outputs / "nowhere", outputs / "empty", outputs / "file"]
    ids, faults = found(*bad, outputs / "other")
    assert ids == ["single"]
    assert faults == [
        f"{outputs}/nowhere: no such folder",
        f"{outputs}/empty: no records in it",
        f"{outputs}/file: is a file; give the folder around it",
    ]


def test_a_folder_that_may_not_be_read_is_said_and_its_neighbours_are_read(outputs, monkeypatch):
    (outputs / "locked").mkdir()
    scan = os.scandir  # a superuser may read any folder, so the refusal is made here

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    ids, faults = found(outputs)
    assert len(ids) == 7 and faults == [f"{outputs}/locked: Permission denied"]


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("summary.json", '"error": 0.1', '"error": NaN', "it holds NaN, which is no number"),
        ("summary.json", '"error": 0.1', '"error": -Infinity', "it holds -Infinity"),
        ("summary.json", '"error": 0.1', '"error": 1e999', "error is no finite number"),
        ("summary.json", '"error": 0.1', '"error": "small"', "list or fit: 'small'"),
        ("summary.json", '"error": 0.1', '"error": []', "error is no finite number"),
        ("summary.json", '"error": 0.1', '"error": {"value": 1}', "error is no finite number"),
        ("summary.json", '"summary"', '"sumary"', "summary.json is no summary: KeyError"),
        ("summary.json", "}", "", "cannot read"),
        ("claims.json", '"n": 1', '"n": "one"', "claims.json: 0.n: input should be a valid int"),
        ("claims.json", '"metric"', '"mettric"', "claims.json: 0.metric: field required"),
        ("claims.json", "[", "", "cannot read"),
        ("run.json", '"seed": 0', '"seed": null', "run.json: seed: input should be a valid int"),
        ("run.json", '"config"', '"conf"', "run.json: config: field required"),
        ("run.json", "{", "", "cannot read"),
        ("run.json", "laptop", "lap\x00top", "cannot read"),
    ],
)
def test_a_file_edited_by_hand_is_left_out_with_its_name(outputs, file, old, new, line):
    path = outputs / "other" / "single" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    ids, faults = found(outputs)
    assert len(ids) == 6 and len(faults) == 1
    assert line in faults[0] and str(path.relative_to(outputs)) in faults[0]
    assert faults[0].startswith("left out: ") and "\n" not in faults[0]


def test_a_complete_record_without_claims_is_left_out_with_a_line(outputs):
    (outputs / "other" / "single" / "claims.json").unlink()
    assert "claims.json" in found(outputs / "other")[1][0]


def test_a_torn_sweep_is_said_and_the_records_are_read(outputs):
    path = outputs / "sweeps" / "grid-1234" / "sweep.json"
    path.write_text(path.read_text()[:100])
    ids, faults = found(outputs)
    assert len(ids) == 7 and len(faults) == 1 and "sweep.json" in faults[0]


def test_copies_of_one_config_are_said_and_the_newest_complete_one_is_kept(outputs):
    for name, minute, state in (("old", 1, "complete"), ("new", 500, "unfinished")):
        made.record(
            outputs.parent / name, id="single", experiment="other", minute=minute, state=state
        )
    got = find.gather([outputs.parent / "old", outputs.parent / "new", outputs])
    (kept,) = [record for record in got.records if record.run["id"] == "single"]
    assert kept.folder == outputs.relative_to(outputs.parent) / "other" / "single"
    assert len(got.faults) == 1
    assert "other single is there more than once" in got.faults[0]
    assert "not old/other/single, new/other/single" in got.faults[0]


def test_records_of_different_versions_are_said(outputs):
    changed = {
        "target": "made.SECOND",
        "config": {"steps": 1, "more": {"lr": 1}},
        "claims": [made.CLAIM | {"expected_high": 0.7}],
    }
    made.record(outputs, id="two", experiment="other", minute=101, **changed)
    ids, (fault,) = found(outputs)
    assert "two" in ids
    assert fault == (
        "other: records of different versions of the experiment (targets made.EXPERIMENT, "
        "made.SECOND; config keys: more.lr in 1 of 2; claims that expect other things: small)"
    )


def test_names_in_any_script_work(tmp_path):
    folder = made.record(
        tmp_path / "Ausgänge 結果", id="一", experiment="größe", summary={"Δ": 1.5}
    )
    (record,) = find.gather([tmp_path / "Ausgänge 結果"]).records
    assert record.summary == {"Δ": 1.5} and record.folder.name == folder.name
    assert found(tmp_path / "nichts-ü")[1] == [f"{tmp_path}/nichts-ü: no such folder"]


def test_published_records_need_no_more_than_docs_keep():
    docs = Path(__file__).parents[2] / "docs" / "records"
    got = find.gather([docs])
    assert not got.faults and {r.run["experiment"] for r in got.records} >= {"noise_power_law"}


def test_a_nan_in_the_last_row_of_the_metrics_is_no_torn_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "loss": NaN}')
    with pytest.raises(ValueError, match=r"metrics.jsonl:2 .* it holds NaN"):
        store.read_rows(path)


def test_a_thousand_records_are_read_in_seconds(tmp_path):
    claims = [made.CLAIM | {"name": f"claim{i}"} for i in range(20)]
    first = made.record(tmp_path, id="000", claims=claims)
    run = json.loads((first / "run.json").read_text())
    for number in range(1, 1000):
        folder = tmp_path / "made" / f"{number:03d}"
        shutil.copytree(first, folder)
        store.write_json(folder / "run.json", run | {"id": folder.name, "seed": number})
    began = time.process_time()
    assert len(find.gather([tmp_path]).records) == 1000
    assert time.process_time() - began < 5
