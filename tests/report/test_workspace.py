"""A W&B workspace down to the JSON that would be sent; nothing is sent in a test."""

import json
import sys
from pathlib import Path

import pytest

from feedrun.cli import commands
from feedrun.records.find import gather
from feedrun.report import workspace
from tests import made


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A sweep over two sizes and three seeds, with curves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    folder = made.grid(tmp_path / "outputs")
    rows = [
        {"step": 1, "time": 0.1, "scope": "train", "train/loss": 1.0, "train/deep/speed": [1, 2]},
        {"step": 1, "time": 0.1, "risk": 2.0},
    ]
    for path in (tmp_path / "outputs" / "made").iterdir():
        (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def command(*words):
    return commands.COMMANDS["workspace"]([str(word) for word in words])


@pytest.fixture
def view(outputs, capsys):
    """What --json writes."""
    pytest.importorskip("wandb_workspaces", reason="needs the extra feedrun[wandb-workspaces]")
    assert command(outputs, "--json", "view.json", "--entity", "me") == 0
    assert capsys.readouterr().out == "workspace view.json\n"
    return json.loads(Path("view.json").read_text())


def test_json_has_a_section_a_metric_group_between_claims_and_summary(view):
    sections = view["spec"]["section"]["panelBankConfig"]["sections"]
    assert [s["name"] for s in sections] == ["Claims", "train", "train/deep", "metrics", "Summary"]
    lines = {p["config"]["chartTitle"]: p["config"] for s in sections[1:4] for p in s["panels"]}
    assert set(lines) == {"train/loss", "train/deep/speed", "risk"}
    for name, axis in (("train/loss", "train/step"), ("risk", "step")):
        config = lines[name]
        assert (config["metrics"], config["xAxis"]) == ([name], axis)
        assert (config["groupAgg"], config["groupArea"]) == ("mean", "stderr")
    (bar,) = sections[-1]["panels"]
    assert bar["viewType"] == "Bar Chart" and bar["config"]["metrics"] == ["error"]


def test_json_holds_the_claims_as_a_table(view):
    claims = view["spec"]["section"]["panelBankConfig"]["sections"][0]
    (panel,) = claims["panels"]
    assert panel["viewType"] == "Markdown Panel" and claims["isOpen"] and claims["pinned"]
    assert "| holds | the error stays small | size=16 | <= 0.5 |" in panel["config"]["value"]


def test_json_chooses_the_sweeps_runs_and_groups_them_by_config(view):
    (runs,) = view["spec"]["section"]["runSets"]
    (only,) = runs["filters"]["filters"]
    assert only["key"] == {"section": "run", "name": "group"} and only["value"] == ["made"]
    assert [key["name"] for key in runs["grouping"]] == ["size.value"]
    assert {"config:size", "config:seed"} <= set(runs["runFeed"]["columnPinned"])
    assert (view["project"], view["displayName"], view["entity"]) == ("feedrun", "grid", "me")


def test_groups_are_those_that_the_runs_were_logged_under(tmp_path):
    made.record(tmp_path, id="1", sweep="lab-1234")
    made.record(tmp_path, id="2", sweep=None, minute=1)
    assert workspace.wandb_groups(gather([tmp_path]).records) == ["lab-1234", "made"]


def test_without_the_extra_one_line_says_what_to_install(outputs, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    assert command(outputs, "--json", "view.json") == 2
    err = capsys.readouterr().err
    assert err.strip() == f"feedrun: {workspace.MISSING}" and not Path("view.json").exists()


def test_without_a_key_one_line_says_so(outputs, monkeypatch, capfd):
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(outputs))
    monkeypatch.setenv("NETRC", str(outputs / "none"))
    assert command(outputs) == 1
    err = capfd.readouterr().err.strip()
    assert len(err.splitlines()) == 1
    assert err.startswith("feedrun: W&B: no API key: set WANDB_API_KEY") and "--json FILE" in err


@pytest.mark.parametrize(
    ("words", "line"),
    [(["nowhere"], "nowhere: no such folder"), (["outputs/empty"], "no records in it")],
)
def test_no_records_are_a_line_and_exit_code_2(outputs, words, line, capsys):
    Path("outputs/empty").mkdir()
    assert command(*words, "--json", "view.json") == 2
    assert line in capsys.readouterr().err and not Path("view.json").exists()


def test_a_file_that_cannot_be_written_is_one_line(outputs, capsys):
    pytest.importorskip("wandb_workspaces", reason="needs the extra feedrun[wandb-workspaces]")
    assert command(outputs, "--json", "no/view.json") == 2
    assert capsys.readouterr().err == "feedrun: no/view.json: No such file or directory\n"
