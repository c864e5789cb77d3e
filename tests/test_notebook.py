"""The Python door: light to import, records as frames, runs as on the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import feedrun
from feedrun.errors import BadInput
from feedrun.records import store
from feedrun.runner.execute import Failed
from tests import children, made

OWN = Path(__file__).parent / "own"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder to run the tests' own experiment in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(OWN))

    def run(**given):
        given = {"config_dir": OWN / "conf", "scale": "smoke", "quiet": True} | given
        return feedrun.run("lab", **given)

    return run


def test_importing_feedrun_imports_nothing_heavy():
    code = "import sys, feedrun; assert feedrun.__all__ and 'load' in dir(feedrun);"
    code += "heavy = ('jax', 'pandas', 'hydra', 'numpy', 'rich', 'wandb', 'pydantic');"
    code += "print('HEAVY', [m for m in heavy if m in sys.modules])"
    done = children.run([sys.executable, "-c", code])
    assert done.stdout.strip() == "HEAVY []", done.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        feedrun.laod  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


def test_load_takes_one_path_or_several_and_warns_of_what_is_wrong(tmp_path):
    made.grid(tmp_path / "outputs")
    single = made.record(tmp_path / "more", id="x", experiment="other")
    assert len(feedrun.load(tmp_path / "outputs")) == 6
    assert [r.run["id"] for r in feedrun.load([str(single)])] == ["x"]
    with pytest.warns(UserWarning, match="nowhere: no such folder"):
        assert len(feedrun.load([tmp_path / "outputs", single, tmp_path / "nowhere"])) == 7
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        feedrun.load(tmp_path / "nowhere")


def test_frame_has_a_row_a_run_with_config_and_means(tmp_path):
    made.grid(tmp_path)
    config = {"size": 8, "deep": {"rate": 0.5}}
    made.record(tmp_path, id="bad", state="failed", minute=99, config=config)
    frame = feedrun.frame(feedrun.load(tmp_path))
    assert frame.index.name == "id" and len(frame) == 7
    first = frame.loc["001600000001"]
    assert (first["experiment"], first["scale"], first["seed"], first["state"]) == (
        "made", "laptop", 1, "complete",
    )  # fmt: skip
    assert (first["size"], first["deep.rate"], first["seconds"]) == (16, 0.5, 12.5)
    assert first["error"] == pytest.approx(0.26)  # the metric
    assert first["order"] == pytest.approx(np.mean([1.0, 2.0, 4.0]))
    bad = frame.loc["bad"]
    assert bad["state"] == "failed" and bad["failure"] == "RuntimeError: it broke"
    assert np.isnan(bad["order"])


def test_frame_tells_config_keys_from_metrics_of_the_same_name(tmp_path):
    made.record(tmp_path, id="x", config={"error": 3, "seed": 7}, summary={"error": 0.5}, seed=1)
    row = feedrun.frame(feedrun.load(tmp_path)).loc["x"]
    assert (row["error"], row["config.error"], row["seed"], row["config.seed"]) == (0.5, 3, 1, 7)


def test_curves_have_a_row_a_step_with_means_over_repeats(tmp_path):
    for id in ("a", "b"):
        folder = made.record(tmp_path, id=id, seed=ord(id))
        rows = [{"step": s, "time": s / 2, "scope": "train", "loss": [s, s + 2.0]} for s in (0, 5)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    curves = feedrun.curves(feedrun.load(tmp_path))
    assert list(curves.columns) == ["id", "seed", "scope", "step", "time", "loss"]
    assert curves[curves.id == "b"].loss.tolist() == [1.0, 6.0]
    assert (curves.seed == curves.id.map(ord)).all()


def test_curves_of_records_without_rows_are_empty(tmp_path):
    made.record(tmp_path, id="a")
    assert feedrun.curves(feedrun.load(tmp_path)).empty


def test_run_gives_the_record_that_the_command_line_would(lab, tmp_path):
    record = lab(seed=3, lr=0.02)
    assert record.state == "complete" and record.run["config"]["lr"] == 0.02
    assert record.run["overrides"][:3] == ["experiment=lab", "scale=smoke", "seed=3"]
    words = ["--config-dir", str(OWN / "conf"), "experiment=lab", "scale=smoke", "seed=3"]
    words += ["lr=0.02", "wandb=disabled"]
    env = {"PATH": "", "PYTHONPATH": str(OWN), "HOME": str(tmp_path)}
    done = children.run([sys.executable, "-m", "feedrun", *words], tmp_path, env)
    assert "finished before" in done.stdout, done.stderr
    assert [r.run["id"] for r in store.records(Path("outputs"))] == [record.run["id"]]
    assert lab(seed=3, lr=0.02).run["started"] == record.run["started"]


def test_nested_settings_are_given_nested_or_dotted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from feedrun.notebook import _composed

    flat = {"structure.steps": 7, "betas": [0.5], "wandb": "disabled"}
    plain, words = _composed("particles_clustering", "smoke", 2, None, flat)
    assert plain["structure"]["steps"] == 7 and plain["betas"] == [0.5] and plain["seed"] == 2
    assert words[-3:] == ["structure.steps=7", "betas=[0.5]", "wandb=disabled"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"stesp": 3}, r"unknown key stesp \(did you mean steps\?\)"),
        ({"process": {"devics": 3}}, r"unknown key process.devics \(did you mean process.devices"),
        ({"scale": "smok"}, r"no scale smok \(did you mean smoke\?\)"),
        ({"scale": "paper"}, "experiment lab has no scale paper; it has laptop, smoke"),
        ({"steps": 1.5}, "steps: input should be a valid integer"),
        ({"wandb": "maybe"}, "wandb: input should be 'offline', 'online' or 'disabled'"),
    ],
)
def test_bad_settings_are_one_line(lab, given, line):
    with pytest.raises(BadInput, match=line) as error:
        lab(**given)
    assert "\n" not in str(error.value) and not Path("outputs").exists()


def test_an_unknown_experiment_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"no experiment particles_clusterin \(did you mean"):
        feedrun.run("particles_clusterin")


def test_a_failing_experiment_raises_and_leaves_its_record(lab):
    with pytest.raises(Failed, match="RuntimeError: the experiment broke"):
        lab(trouble="raise")
    (record,) = feedrun.load("outputs")
    assert record.state == "failed"
    assert feedrun.frame([record]).loc[record.run["id"], "failure"].startswith("RuntimeError")


def test_without_pandas_one_line_says_what_to_install(tmp_path, monkeypatch):
    made.record(tmp_path, id="x")
    records = feedrun.load(tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    for make in (feedrun.frame, feedrun.curves):
        with pytest.raises(ImportError, match=r"pip install 'feedrun\[notebook\]'"):
            make(records)


def test_frames_of_nothing_are_frames():
    assert isinstance(feedrun.frame([]), pd.DataFrame) and feedrun.frame([]).empty


def test_no_module_hides_a_name_of_the_python_door():
    modules = {path.stem for path in Path(feedrun.__file__).parent.iterdir()}
    assert not modules & set(feedrun.__all__)
