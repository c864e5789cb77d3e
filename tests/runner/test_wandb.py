"""W&B as a mirror: real offline runs, read back with wandb's own inspector."""

import contextlib
import json
import os
import socket
import sys

import pytest
from PIL import Image

from feedrun.runner import wandb
from tests import children

RUN = {
    "id": "0123456789ab",
    "experiment": "slay_lra",
    "paper": "slay",
    "scale": "laptop",
    "seed": 3,
    "config": {"model": {"attend": "slay"}, "lr": 0.1},
    "sweep": None,
}
EARLIER = [
    {"step": 0, "time": 0.1, "scope": "train", "train/loss": 2.0},
    {"step": 50, "time": 0.2, "scope": "train", "train/loss": 1.0},
]
LATER = [
    {"step": 0, "time": 0.3, "eval/accuracy": [0.25, 0.75], "eval/count": 8.0},
    {"step": 100, "time": 0.4, "scope": "train", "train/loss": 0.5},
]
POINTS = [
    {"train/step": 0, "train/time": 0.1, "train/loss": 2.0},
    {"train/step": 50, "train/time": 0.2, "train/loss": 1.0},
    {
        "step": 0,
        "time": 0.3,
        "eval/accuracy": 0.5,
        "eval/accuracy/r0": 0.25,
        "eval/accuracy/r1": 0.75,
        "eval/count": 8.0,
    },
    {"train/step": 100, "train/time": 0.4, "train/loss": 0.5},
]


def record(folder):
    """The end of a record: summary, claims, a picture and an animation."""
    (folder / "figures").mkdir(parents=True)
    summary = {"risk": 0.5, "gap": [1.0, 3.0], "gamma": {"value": 1.2, "low": 1.1, "high": 1.3}}
    (folder / "summary.json").write_text(json.dumps({"summary": summary, "notes": {}}))
    claims = [{"name": "bounded", "verdict": "holds"}, {"name": "linear", "verdict": "fails"}]
    (folder / "claims.json").write_text(json.dumps(claims))
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "figures" / "curve.png")
    frames[0].save(folder / "figures" / "flow.gif", save_all=True, append_images=frames[1:])


def inspect(folder):
    """The records of the one offline run under `folder`, grouped by type."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    done = children.run(command)
    assert done.returncode == 0, done.stderr
    grouped = {}
    for item in map(json.loads, done.stdout.splitlines()):
        grouped.setdefault(item["type"], []).append(item.get(item["type"]))
    return grouped


def points(records):
    """What was logged, each with the index it was logged at; wandb's own keys are left out."""
    return [
        (row["step"].get("num", 0), {k: v for k, v in row["item"].items() if k[0] != "_"})
        for row in records["history"]
    ]


@pytest.fixture(scope="module")
def wandb_home(tmp_path_factory):
    """No account, no settings of the machine; a server that only notices who knocks."""
    import wandb

    home = tmp_path_factory.mktemp("home")
    wandb.teardown()  # first, or the address of a service that has ended would be put back
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listener:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        patch.setenv("HOME", str(home))
        patch.setenv("NETRC", str(home / "netrc"))
        patch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield listener
        wandb.teardown()


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory, wandb_home):
    """(records of a resumed and finished offline run, what was said and to whom)."""
    folder, said = tmp_path_factory.mktemp("run"), []
    sink = wandb.wandb_sink("offline", said.append)
    sink.start(RUN, EARLIER, folder)
    for row in LATER:
        sink.log(row)
    record(folder)
    sink.finish(folder)
    with contextlib.suppress(BlockingIOError):  # before the inspector, which sends telemetry
        said.append(wandb_home.accept())
    return inspect(folder), said


def test_the_run_is_named_after_the_record(mirrored):
    run = mirrored[0]["run"][0]
    named = ("run_id", "display_name", "run_group", "job_type", "project", "tags")
    assert [run[key] for key in named] == [
        "0123456789ab",
        "slay_lra laptop seed 3",
        "slay_lra",
        "slay_lra",
        "feedrun",
        ["slay", "laptop"],
    ]
    assert run["resume"] is True  # it was given rows


def test_the_config_is_there_with_seed_and_scale(mirrored):
    config = mirrored[0]["run"][0]["config"]["update"]
    config.pop("_wandb", None)
    assert config == {"model": {"attend": "slay"}, "lr": 0.1, "seed": 3, "scale": "laptop"}


def test_every_row_is_logged_at_its_index_those_before_a_resume_too(mirrored):
    assert points(mirrored[0])[:4] == list(enumerate(POINTS))


def test_each_scope_has_its_own_x_axis(mirrored):
    axes = {metric["name"]: metric["step_metric"] for metric in mirrored[0]["metric"]}
    assert axes["train/loss"] == axes["train/time"] == "train/step"
    assert axes["eval/accuracy"] == axes["eval/accuracy/r1"] == axes["time"] == "step"


def test_the_summary_holds_values_intervals_and_verdicts(mirrored):
    summary = {}
    for item in mirrored[0]["summary"]:
        summary |= item.get("update", {})
    expected = {
        "risk": 0.5,
        "gap": 2.0,
        "gap/r0": 1.0,
        "gap/r1": 3.0,
        "gamma": 1.2,
        "gamma/low": 1.1,
        "gamma/high": 1.3,
        "verdict/bounded": "holds",
        "verdict/linear": "fails",
        "train/loss": 0.5,
    }
    assert expected.items() <= summary.items()


def test_figures_are_logged_last(mirrored):
    index, media = points(mirrored[0])[4]
    assert index == 4
    kinds = {name: media[f"figures/{name}._type"] for name in ("curve", "flow")}
    assert kinds == {"curve": "image-file", "flow": "video-file"}


def test_an_offline_run_says_nothing_and_calls_nobody(mirrored):
    assert mirrored[0]["exit"][0]["exit_code"] == 0
    assert mirrored[1] == []


def test_a_run_that_failed_is_closed_as_failed_in_its_sweep(tmp_path, wandb_home, capfd):
    sink = wandb.wandb_sink("offline", pytest.fail)
    sink.start(RUN | {"sweep": "table"}, [], tmp_path)
    for row in LATER:
        sink.log(row)
    sink.finish(tmp_path)
    records = inspect(tmp_path)
    assert records["run"][0]["run_group"] == "table"
    assert "resume" not in records["run"][0]  # from the first row: replaces an earlier one
    assert records["exit"][0]["exit_code"] == 1
    assert [index for index, _ in points(records)] == [0, 1]
    assert capfd.readouterr() == ("", "")


def test_finish_without_start_does_nothing(tmp_path):
    wandb.wandb_sink("offline", pytest.fail).finish(tmp_path)


# what goes wrong -----------------------------------------------------------------------------


def test_a_guarded_sink_is_dropped_with_one_line_at_its_first_error(tmp_path):
    said, calls = [], []

    def fails(*args):
        calls.append(args)
        raise RuntimeError("the disk\nis full")

    sink = wandb.guarded(wandb.Sink(fails, fails, fails), said.append)
    sink.start(RUN, [], tmp_path)
    sink.log(LATER[0])
    sink.finish(tmp_path)
    assert len(calls) == len(said) == 1
    assert "the disk" in said[0] and "\n" not in said[0]


def test_a_guarded_sink_passes_everything_on(tmp_path):
    calls = []
    sink = wandb.guarded(wandb.Sink(*[lambda *args: calls.append(args)] * 3), pytest.fail)
    sink.start(RUN, EARLIER, tmp_path)
    sink.log(LATER[0])
    sink.finish(tmp_path)
    assert calls == [(RUN, EARLIER, tmp_path), (LATER[0],), (tmp_path,)]


def test_a_guarded_sink_lets_an_interrupt_through():
    def interrupted(*args):
        raise KeyboardInterrupt

    sink = wandb.guarded(wandb.Sink(interrupted, interrupted, interrupted), pytest.fail)
    with pytest.raises(KeyboardInterrupt):
        sink.log(LATER[0])


def test_without_the_package_one_line_is_said(tmp_path, monkeypatch):
    said = []
    monkeypatch.setitem(sys.modules, "wandb", None)
    sink = wandb.guarded(wandb.wandb_sink("offline", said.append), said.append)
    sink.start(RUN, [], tmp_path)
    sink.log(LATER[0])
    sink.finish(tmp_path)
    assert len(said) == 1 and "wandb" in said[0]


def test_importing_sinks_does_not_import_wandb():
    code = "import sys; from feedrun.runner import wandb; print('wandb' in sys.modules)"
    done = children.run([sys.executable, "-c", code])
    assert done.stdout == "False\n", done.stderr


ONLINE = """
import json, sys
from pathlib import Path
from feedrun.runner import wandb
run, rows, folder = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
sink = wandb.wandb_sink("online", print)
sink.start(run, rows, folder)
sink.finish(folder)
"""


def go_online(folder, **environ):
    """(lines said, lines on stderr) of a run that asks for online, in a new process."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    home = {"HOME": str(folder), "NETRC": str(folder / "netrc")}
    command = [sys.executable, "-c", ONLINE, json.dumps(RUN), json.dumps(EARLIER), str(folder)]
    done = children.run(command, env=kept | home | environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_online_without_a_key_is_offline_at_once_with_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        said, errors = go_online(tmp_path, WANDB_BASE_URL=address)
        with pytest.raises(BlockingIOError):  # at once: nobody was asked, so nobody waited for
            server.accept()
    assert len(said) == 1 and "no API key" in said[0]
    assert errors == []
    assert points(inspect(tmp_path)) == list(enumerate(POINTS[:2]))


@pytest.mark.slow
def test_online_without_network_is_offline_in_seconds_with_one_line(tmp_path):
    nowhere = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}
    assert wandb.INIT_SECONDS <= 10  # what it waits for an answer; the rest is starting up
    said, errors = go_online(tmp_path, **nowhere)
    assert len(said) == 1 and "W&B is offline" in said[0]
    assert errors == []
    assert points(inspect(tmp_path)) == list(enumerate(POINTS[:2]))
    assert not list(tmp_path.glob("wandb/run-*"))


@pytest.mark.slow
def test_online_with_a_key_that_is_none_is_offline_with_one_line(tmp_path):
    said, errors = go_online(tmp_path, WANDB_API_KEY="short")
    assert len(said) == 1 and "40+ characters" in said[0]
    assert errors == []
