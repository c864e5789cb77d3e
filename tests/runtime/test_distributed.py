"""One run over two processes that talk over loopback: real processes, one record."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from feedrun.records import store
from feedrun.runtime import distributed
from tests import children

pytestmark = pytest.mark.slow  # processes that start, compile and meet: a minute

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "own"
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "FEEDRUN_", "SLURM_"))}
ENV = CLEAN | {"PYTHONPATH": f"{OWN}{os.pathsep}{ROOT}", "COLUMNS": "100", "JAX_PLATFORMS": "cpu"}


def free_port():
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def start(command, folder, *, slurm=False):
    """Two processes of one command, which gets HOST:PORT, or "auto" and what srun would set."""
    port, pair = free_port(), []
    for index in range(2):
        given = {"FEEDRUN_PROCESSES": "2", "FEEDRUN_PROCESS": str(index)}
        if slurm:
            given = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
            given |= {"SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)}
            given |= {"JAX_COORDINATOR_PORT": str(port)}
        where = "auto" if slurm else f"localhost:{port}"
        pair.append(children.start(command(where), folder, ENV | given))
    return pair


def feedrun(*words):
    base = [sys.executable, "-m", "feedrun", "--config-dir", str(OWN / "conf")]
    base += ["wandb=disabled", "process.devices=1", "-q", *words]
    return lambda where: [*base, f"process.distributed={where}"]


def finish(pair):
    """[(exit code, stdout, stderr without what C++ says)] of the two."""
    ours = ("feedrun:", "resum")
    ends = [process.ended() for process in pair]
    lines = [[x for x in done.stderr.splitlines() if x.startswith(ours)] for done in ends]
    return [(done.returncode, done.stdout, err) for done, err in zip(ends, lines, strict=True)]


def record(folder):
    """(rows without the clock, summary) of the only record."""
    (path,) = folder.glob("outputs/*/*/summary.json")
    rows = store.read_rows(path.with_name("metrics.jsonl"))
    rows = [{k: v for k, v in row.items() if k != "time"} for row in rows]
    return rows, json.loads(path.read_text())["summary"]


def test_two_processes_keep_one_record_and_asking_again_returns_it(tmp_path):
    command = feedrun("experiment=lab", "scale=smoke")
    (code, out, err), second = finish(start(command, tmp_path))
    assert (code, err) == (0, []) and "SGD finds the line" in out and "Gloo" not in out
    assert second == (0, "", [])
    rows, _ = record(tmp_path)
    assert [row["step"] for row in rows] == [10, 20, 30, 40, 50]
    (run,) = tmp_path.glob("outputs/lab/*/run.json")
    described = json.loads(run.read_text())
    assert described["process"]["processes"] == described["device"]["count"] == 2

    before = run.with_name("summary.json").stat().st_mtime_ns
    (code, out, err), second = finish(start(command, tmp_path))
    assert (code, err) == (0, []) and "finished before" in out
    assert second == (0, "", [])
    assert run.with_name("summary.json").stat().st_mtime_ns == before


def test_killed_under_slurm_it_resumes_to_the_record_of_one_process(tmp_path):
    words = ("experiment=pair", "checkpoint_seconds=0", "hold=true")
    together, alone = tmp_path / "together", tmp_path / "alone"
    together.mkdir()
    alone.mkdir()
    pair = start(feedrun(*words), together, slurm=True)
    children.until(lambda: list(together.glob("outputs/pair/*/checkpoint.npz")), *pair)
    for process in pair:
        process.send(signal.SIGKILL)
    finish(pair)
    assert not list(together.glob("outputs/pair/*/summary.json"))
    (together / "go").touch()
    (alone / "go").touch()

    (code, out, err), second = finish(start(feedrun(*words), together, slurm=True))
    assert code == 0 and "The weights are not small" in out and "resuming from step" in err[0]
    assert second == (0, "", [])
    assert children.run(feedrun(*words)("false"), alone, ENV).returncode == 0
    assert record(together) == record(alone)


CURVES = """
import json, os, sys
from feedrun.runtime import setup
where = os.environ.get("FEEDRUN_PROCESS") and sys.argv[1]
setup.setup(cache=True, devices=1 if where else 2, malloc=False, precision="highest",
    distributed=where or False)
import jax
jax.config.update("jax_enable_x64", True)
from feedrun import train
from tests.train.test_loop import DATA, fit, start
split, curve = fit(0, devices=jax.devices())
keys = jax.random.split(jax.random.key(7), 4)
seen = []
many, curves = fit(keys, start(4), repeats=4, evaluate=lambda p: seen.append(p["w"].shape) or {})
three, _ = fit(keys[:3], start(3), repeats=3, devices=jax.devices())
odd = {"stream": train.shuffled(DATA, 5), "repeats": 3, "key": keys[:3], "params": start(3)}
refused = []
for change in (odd, {"key": jax.random.key(jax.process_index())}):
    try: fit(**change)
    except (ValueError, RuntimeError) as error: refused.append(str(error))
print(json.dumps({"devices": jax.device_count(), "split": split["w"].tolist(), "curve": curve,
    "many": many["w"].tolist(), "curves": curves, "seen": seen, "three": three["w"].tolist()}))
print(json.dumps(refused))
"""


@pytest.fixture(scope="module")
def curves():
    """What the script finds: ([by process 0, by process 1], [by one process with two devices])."""
    command = [sys.executable, "-c", CURVES]
    pair = finish(start(lambda where: [*command, where], ROOT))
    alone = children.run(command, ROOT, ENV)
    assert [code for code, _, _ in pair] == [0, 0] and alone.returncode == 0, alone.stderr
    return [out.splitlines() for _, out, _ in pair], alone.stdout.splitlines()


def test_two_processes_of_one_device_give_the_bits_of_one_with_two(curves):
    (first, second), alone = curves
    assert first[0] == second[0] == alone[0]
    assert json.loads(first[0])["devices"] == 2


def test_work_that_cannot_be_shared_and_processes_that_disagree_are_refused(curves):
    (first, second), _ = curves
    uneven, other = json.loads(first[1])
    assert uneven == "repeats=3 and a batch of sizes [5, 5] cannot be split over 2 processes"
    assert "process 1 starts from other numbers than process 0" in other
    assert first[1] == second[1]


@pytest.mark.slow
@pytest.mark.parametrize("broken", [0, 1])
def test_an_error_on_one_process_ends_both(broken, tmp_path):
    ends = finish(start(feedrun("experiment=pair", f"trouble={broken}"), tmp_path))
    assert all(code != 0 for code, _, _ in ends)
    assert "RuntimeError: broken here" in ends[broken][2][0]
    (failure,) = tmp_path.glob("outputs/pair/*/failure.json")
    assert "Traceback" in failure.read_text()


@pytest.mark.slow
def test_an_error_on_both_is_one_line_each(tmp_path):
    first, second = finish(start(feedrun("experiment=lab", "trouble=raise"), tmp_path))
    assert first[0] == second[0] == 1
    assert len(first[2]) == 1 and first[2][0].startswith("feedrun: RuntimeError: the experiment")
    assert second[1:] == ("", ["feedrun: process 1: RuntimeError: the experiment broke"])


@pytest.mark.slow
def test_an_error_of_the_disk_sends_the_other_home(tmp_path):
    first, second = finish(start(feedrun("experiment=lab", "outputs=/proc/none"), tmp_path))
    assert first[0] == 2 and "/proc/none" in first[2][0]
    assert second == (0, "", [])


@pytest.mark.slow
def test_sigterm_ends_both_and_the_same_command_resumes(tmp_path):
    words = ("experiment=pair", "checkpoint_seconds=0", "hold=true")
    pair = start(feedrun(*words), tmp_path)
    children.until(lambda: list(tmp_path.glob("outputs/pair/*/checkpoint.npz")), *pair)
    for process in pair:
        process.send(signal.SIGTERM)
    first, second = finish(pair)
    assert first[0] == 130 and "the same command resumes" in first[2][0]
    assert second[0] != 0
    (tmp_path / "go").touch()
    (code, _, err), _ = finish(start(feedrun(*words), tmp_path))
    assert code == 0 and "resuming from step" in err[0]


ALONE = """
import sys
from feedrun import cli
from feedrun.runtime import distributed
distributed.MEETING = 3.0
sys.exit(cli.main())
"""


@pytest.mark.slow
def test_processes_that_do_not_come_are_one_line(tmp_path):
    command = feedrun("experiment=lab")(f"localhost:{free_port()}")[3:]
    given = {"FEEDRUN_PROCESSES": "2", "FEEDRUN_PROCESS": "0"}
    done = children.run([sys.executable, "-c", ALONE, *command], tmp_path, ENV | given)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "have not all met within 3 s" in line


@pytest.mark.parametrize(
    ("count", "index", "address", "line"),
    [
        (None, None, "localhost:1", "needs FEEDRUN_PROCESSES"),
        ("2", "2", "localhost:1", "got 2 and 2"),
        ("two", "0", "localhost:1", "got two and 0"),
        ("2", "0", "no-such-host.invalid:0", "no-such-host.invalid:0: "),
    ],
)
def test_a_meeting_that_cannot_be_is_refused(count, index, address, line, monkeypatch):
    for name, value in (("FEEDRUN_PROCESSES", count), ("FEEDRUN_PROCESS", index)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(ConnectionError, match=line):
        distributed._meeting(address)


def test_a_busy_port_is_refused(monkeypatch):
    monkeypatch.setenv("FEEDRUN_PROCESSES", "2")
    monkeypatch.setenv("FEEDRUN_PROCESS", "0")
    with (
        socket.create_server(("", 0)) as server,
        pytest.raises(ConnectionError, match="in use"),
    ):
        distributed._meeting(f"localhost:{server.getsockname()[1]}")
