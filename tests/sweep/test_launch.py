"""Sweeps as a user meets them: real processes, crashes, interruptions, the same command again."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from feedrun import cli
from feedrun.records import store, sweeps
from tests import children

OWN = Path(__file__).parents[1] / "own"
CONF = str(OWN / "conf")
ENV = os.environ | {"PYTHONPATH": str(OWN), "COLUMNS": "120", "WANDB_MODE": ""}
LAB = ("experiment=lab", "wandb=disabled", "checkpoint_seconds=0")


def start(folder, *words, first=()):
    """A process of the command line, started by the program `first` where one is given."""
    command = [*first, sys.executable, "-m", "feedrun", "--config-dir", CONF, *words]
    return children.start(command, folder, ENV)


def feedrun(folder, *words, first=()):
    """(exit code, stdout, stderr) of one command in a folder."""
    done = start(folder, *words, first=first).ended()
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Run the command line in this process: here("words…") -> exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(OWN))
    monkeypatch.setattr(sys, "argv", ["feedrun"])
    yield lambda *words: cli.main(["--config-dir", CONF, *words])
    sys.modules.pop("lab", None)


def records(folder):
    """Complete records of the lab by (lr, steps, trouble, seed), oldest first."""
    found = [r for r in store.records(folder / "outputs") if r.state == "complete"]
    key = lambda r: (*(r.run["config"][k] for k in ("lr", "steps", "trouble")), r.run["seed"])  # noqa: E731
    return {key(record): record for record in found}


def rows(record):
    """The metrics of a record without the clock."""
    return [
        {k: v for k, v in row.items() if k != "time"}
        for row in store.read_rows(record.folder / "metrics.jsonl")
    ]


def begun(folder):
    """The runs that have a checkpoint."""
    return list(folder.glob("outputs/lab/*/checkpoint-train.npz"))


def test_failures_are_retried_named_and_leave_the_others_alone(tmp_path):
    words = ("-m", *LAB, "trouble=none,raise-late", "seed=0,1")
    code, out, err = feedrun(tmp_path, *words)
    assert code == 1
    assert "4 jobs: 2 done, 2 failed" in out
    for seed in (0, 1):
        (line,) = [
            x for x in err.splitlines() if x.startswith(f"feedrun: trouble=raise-late seed={seed}")
        ]
        assert "RuntimeError: broke at the third look" in line
        log = tmp_path / line.split("(see ")[1].rstrip(")")
        assert log.read_text().count("Traceback") == 2  # the first attempt and one retry
        assert "resuming from train 20" in log.read_text()
    finished = {
        r.folder: (r.folder / "summary.json").stat().st_mtime_ns for r in records(tmp_path).values()
    }
    assert len(finished) == 2

    code, out, err = feedrun(tmp_path, *words, "launcher.retries=0")
    assert code == 1 and "4 jobs: 2 skipped, 2 failed" in out
    assert finished == {f: (f / "summary.json").stat().st_mtime_ns for f in finished}
    (folder,) = (tmp_path / "outputs/sweeps").iterdir()
    assert f"sweep    {folder.relative_to(tmp_path)}" in out


def test_a_worker_that_is_killed_costs_its_own_job_one_attempt(tmp_path):
    code, out, err = feedrun(tmp_path, "-m", *LAB, "trouble=none,die-once,die", "-q")
    assert code == 1 and "3 jobs: 2 done, 1 failed" in out
    (line,) = err.splitlines()
    assert line.startswith(
        "feedrun: trouble=die: its process was killed by SIGKILL (out of memory?)"
    )
    died, whole = (records(tmp_path)[0.05, 200, kind, 0] for kind in ("die-once", "none"))
    assert len(died.run["resumed"]) == 1
    assert rows(died) == rows(whole) and died.summary == whole.summary
    (failure,) = tmp_path.glob("outputs/lab/*/failure.json")
    assert "SIGKILL" in json.loads(failure.read_text())["error"]


CLOCK = """
import sys
from pathlib import Path
from types import SimpleNamespace
from feedrun import cli
from feedrun.sweep import local
late = lambda: Path("hung").exists() and [*Path("outputs/lab").glob("*/summary.json")]
local.time = SimpleNamespace(monotonic=lambda: 9.0 if late() else 0.0)
sys.exit(cli.main())
"""
"""The command line with a clock that moves once one job hangs and the other is done."""


@pytest.mark.slow
def test_a_worker_that_hangs_is_stopped_after_the_timeout(tmp_path):
    words = ("-m", *LAB, "trouble=none,hang", "launcher.timeout=8", "launcher.retries=0", "-q")
    words += ("launcher.workers=2",)
    done = children.run([sys.executable, "-c", CLOCK, "--config-dir", CONF, *words], tmp_path, ENV)
    assert done.returncode == 1 and "2 jobs: 1 done, 1 failed" in done.stdout
    assert "trouble=hang: no end within 8 s" in done.stderr


def test_ctrl_c_stops_the_workers_and_the_same_command_goes_on(tmp_path):
    words = ("-m", *LAB, "trouble=hold", "seed=0,1,2", "launcher.workers=2")
    process = start(tmp_path, *words)
    children.until(lambda: len(begun(tmp_path)) == 2, process)
    process.send(signal.SIGINT)
    done = process.ended()
    err = done.stderr
    assert done.returncode == 130
    assert err.splitlines()[-1].startswith("feedrun: interrupted, 3 jobs: ")
    assert "2 stopped" in err and "the same command goes on" in err and "Traceback" not in err
    assert not any(store.held(folder) for folder in tmp_path.glob("outputs/lab/*"))

    (tmp_path / "go").touch()
    code, out, _ = feedrun(tmp_path, *words, "-q")
    assert code == 0 and "3 jobs: 3 done" in out
    resumed = sorted(len(record.run["resumed"]) for record in records(tmp_path).values())
    assert resumed == [0, 1, 1]
    assert [len(rows(record)) for record in records(tmp_path).values()] == [20, 20, 20]


@pytest.mark.slow
def test_killed_launcher_takes_its_workers_along_and_can_be_started_again(tmp_path):
    words = ("-m", *LAB, "trouble=hold", "seed=0,1", "launcher.workers=2", "-q")
    process = start(tmp_path, *words)
    children.until(lambda: len(begun(tmp_path)) == 2, process)
    process.send(signal.SIGKILL)
    process.ended()
    folders = list(tmp_path.glob("outputs/lab/*"))
    children.until(lambda: not any(store.held(folder) for folder in folders))
    (tmp_path / "go").touch()
    assert [sweeps.state(folder).name for folder in folders] == ["stopped", "stopped"]
    code, out, _ = feedrun(tmp_path, *words)
    assert code == 0 and "2 jobs: 2 done" in out


@pytest.mark.slow
def test_two_sweeps_of_one_grid_share_its_work(tmp_path):
    words = ("-m", *LAB, "trouble=hold", "seed=range(4)", "launcher.workers=1")
    pair = start(tmp_path, *words), start(tmp_path, *words)
    children.until(lambda: len(begun(tmp_path)) == 2, *pair)
    (tmp_path / "go").touch()
    first, second = (process.ended() for process in pair)
    assert first.returncode == second.returncode == 0, (first, second)
    assert len(list((tmp_path / "outputs/sweeps").iterdir())) == 1
    found = records(tmp_path)
    assert len(found) == 4
    for record in found.values():
        assert record.run["resumed"] == [] and len(rows(record)) == 20


@pytest.mark.slow
def test_full_disk_fails_the_jobs_and_nothing_else(tmp_path):
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000));"
    limited += "os.execv(sys.argv[1], sys.argv[1:])"
    little_room = (sys.executable, "-c", limited)
    words = ("-m", *LAB, "process.cache=false", "log_every=1,100", "-q", "launcher.retries=0")
    code, out, err = feedrun(tmp_path, *words, first=little_room)
    assert code == 1, err
    assert "2 jobs: " in out and "File too large: while writing the record" in err
    code, out, err = feedrun(tmp_path, *words)
    assert code == 0 and "failed" not in out, err
    assert sorted(len(rows(r)) for r in store.records(tmp_path / "outputs")) == [2, 200]


def test_garbage_in_a_record_is_kept_beside_it_and_the_run_starts_anew(tmp_path, here, capsys):
    words = ("-m", *LAB, "launcher=inline", "steps=20", "seed=range(4)")
    assert here(*words, "-q") == 0
    by_seed = {record.run["seed"]: record for record in records(tmp_path).values()}
    (by_seed[0].folder / "summary.json").write_text('{"summary": {')
    for name in ("summary.json", "claims.json"):
        (by_seed[1].folder / name).unlink()
    (by_seed[1].folder / "run.json").write_text("\0\0\0")
    (by_seed[2].folder / "summary.json").unlink()
    (by_seed[2].folder / "metrics.jsonl").write_text("not json\n{}\n")
    (by_seed[3].folder / "summary.json").unlink()
    (by_seed[3].folder / "notes of mine.txt").write_text("Überraschung")
    capsys.readouterr()
    assert here(*words) == 0
    err = capsys.readouterr().err
    again = {record.run["seed"]: record for record in records(tmp_path).values()}
    assert {k: r.summary for k, r in again.items()} == {k: r.summary for k, r in by_seed.items()}
    kept = sorted(path.parent.name for path in tmp_path.glob("outputs/lab/*/metrics.jsonl"))
    assert sum(".unreadable-1" in name for name in kept) == 3
    assert err.count("the run starts anew") == 3
    assert (by_seed[3].folder / "notes of mine.txt").read_text() == "Überraschung"


def test_named_sweep_needs_no_flag_and_says_how_it_is_shown(tmp_path, here):
    assert here("sweep=lab_table", "scale=smoke", "launcher=inline", "seed=range(2)", "-q") == 0
    (folder,) = (tmp_path / "outputs/sweeps").iterdir()
    planned = sweeps.read(folder)
    assert folder.name.startswith("lab_table-")
    assert planned.table == {
        "title": "Distance to the line after SGD",
        "rows": ["lr", "steps"],
        "repeats": "seed",
        "show": ["distance"],
    }
    values = [tuple(job.values.values()) for job in planned.jobs]
    assert values == [(lr, n, s) for lr in ("0.02", "0.05") for n in ("20", "40") for s in "01"]
    assert all((job.folder / "summary.json").exists() for job in planned.jobs)
    assert {r.run["sweep"] for r in records(tmp_path).values()} == {folder.name}
    assert {r.run["config"]["log_every"] for r in records(tmp_path).values()} == {5}


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["steps=choice(20,30)", "seed=range(0,4,2)"], 4),
        (["experiment=glob(la*)", "lr=0.01,0.02", "steps=20"], 2),
        (["scale=laptop,smoke", "steps=20"], 2),
        (["steps=20,20.0", "seed=1"], 1),
    ],
)
def test_grids_of_hydra_work(words, count, tmp_path, here):
    others = () if words[0].startswith("experiment") else ("experiment=lab",)
    assert here("-m", *others, *words, "wandb=disabled", "launcher=inline", "-q") == 0
    assert len(list(tmp_path.glob("outputs/lab/*/summary.json"))) == count


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["experiment=lab", "steps=20,abc"], "steps=abc: steps: input should be a valid integer"),
        (["experiment=lab", "lr=0.1,-1"], "lr=-1: lr: input should be greater than 0"),
        (["experiment=lab", "stesp=1,2"], "unknown key stesp (did you mean steps?)"),
        (["experiment=lab,lub"], "no experiment lub (did you mean lab?)"),
        (["experiment=lab", "scale=smoke,paper"], "experiment lab has no scale paper"),
        (["seed=1,2"], "which experiment? experiment="),
        (["sweep=lab_tabel"], "no sweep lab_tabel (did you mean lab_table?)"),
        (["experiment=lab", "launcher=lcal"], "no launcher lcal (did you mean local?)"),
        (["experiment=lab", "launcher.wrkers=1"], "did you mean launcher.workers?"),
        (["experiment=lab", "launcher.workers=0"], "launcher.workers: expected a whole number"),
        (["experiment=lab", "launcher.retries=-1"], "launcher.retries: expected a whole number"),
        (["experiment=lab", "batch=0"], "launcher.batch: expected a whole number"),
        (
            ["experiment=lab", "process.distributed=auto"],
            "process.distributed needs launcher=slurm",
        ),
        (
            ["experiment=lab", "launcher=slurm", "launcher.tasks_per_node=2"],
            "2 tasks a job need process.distributed=auto",
        ),
        (["experiment=lab", "launcher.timeout=-3"], "launcher.timeout: expected seconds"),
    ],
)
def test_bad_input_stops_a_sweep_before_anything_runs(words, line, here, capsys):
    code = here("-m", *words, "quiet=true")
    err = capsys.readouterr().err.strip()
    assert code == 2
    assert line in err and len(err.splitlines()) == 1
    assert not Path("outputs").exists()


def test_status_reads_the_files_of_a_sweep_that_runs_elsewhere(tmp_path, monkeypatch, capsys):
    process = start(tmp_path, "-m", *LAB, "trouble=hold,raise", "seed=0,1", "-q")
    running = "outputs/lab/*/progress.json"
    children.until(lambda: list(tmp_path.glob(running)), process)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    code = cli.main(["status"])
    seen = capsys.readouterr().out
    Path("go").touch()
    process.ended()
    assert code in (0, 1) and "4 jobs: " in seen and "running" in seen and "/200" in seen
    assert cli.main(["status", str(next(Path("outputs/sweeps").iterdir()))]) == 1
    seen = capsys.readouterr().out
    assert "4 jobs: 2 done, 2 failed" in seen and "RuntimeError: the experiment broke" in seen
    assert cli.main(["status", "nowhere"]) == 2
    assert "cannot read nowhere/sweep.json" in capsys.readouterr().err


def test_batched_runs_have_records_of_their_own_equal_to_solo_runs(tmp_path, here):
    words = ("-m", "experiment=lab", "wandb=disabled", "steps=60", "seed=range(3)", "lr=0.02,0.05")
    assert here(*words, "outputs=solo/outputs", "launcher=inline", "-q") == 0
    assert here(*words, "outputs=batch/outputs", "launcher=inline", "batch=4", "-q") == 0
    solo, batch = records(tmp_path / "solo"), records(tmp_path / "batch")
    assert len(solo) == 6 and solo.keys() == batch.keys()
    assert sorted(r.run["batch"] for r in batch.values()) == [2, 2, 4, 4, 4, 4]
    assert {r.run["batch"] for r in solo.values()} == {1}
    for key, record in solo.items():
        assert batch[key].run["id"] == record.run["id"]
        assert batch[key].summary["distance"] == pytest.approx(record.summary["distance"], rel=1e-4)
        for ours, theirs in zip(rows(batch[key]), rows(record), strict=True):
            assert ours.pop("scope") == theirs.pop("scope") == "train"
            assert ours == pytest.approx(theirs, rel=1e-4)


def test_one_diverging_run_does_not_cost_the_rest_of_its_batch(tmp_path, here, capsys):
    words = ("-m", *LAB, "lr=0.02,0.05,1e9", "launcher=inline", "batch=3", "launcher.retries=0")
    assert here(*words, "-q") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("feedrun: lr=1000000000.0: FloatingPointError: train/")
    assert sorted(record.run["config"]["lr"] for record in records(tmp_path).values()) == [
        0.02,
        0.05,
    ]


@pytest.mark.slow
def test_killed_batch_resumes_together_to_the_uninterrupted_curves(tmp_path):
    words = ("-m", *LAB, "seed=range(3)", "batch=3", "-q")
    code, _, err = feedrun(tmp_path, *words, "trouble=die-once")
    assert code == 0, err
    code, _, err = feedrun(tmp_path, *words, "trouble=none")
    assert code == 0, err
    found = records(tmp_path)
    for seed in range(3):
        died, whole = found[0.05, 200, "die-once", seed], found[0.05, 200, "none", seed]
        assert died.run["batch"] == whole.run["batch"] == 3 or died.run["batch"] == 1
        assert len(died.run["resumed"]) == 1
        assert [row["step"] for row in rows(died)] == [row["step"] for row in rows(whole)]
        assert died.summary["distance"] == pytest.approx(whole.summary["distance"], rel=1e-4)


def test_points_that_differ_in_numbers_only_compile_once(tmp_path, here):
    from feedrun.train import loop

    programs: Any = loop._chunk
    before = programs._cache_size()
    words = ("-m", "experiment=lab", "wandb=disabled", "steps=30", "log_every=10", "-q")
    assert here(*words, "launcher=inline", "seed=range(4)", "lr=0.01,0.02,0.03") == 0
    assert programs._cache_size() - before == 1


def test_another_process_compiles_nothing_for_other_numbers(tmp_path, monkeypatch):
    monkeypatch.setitem(ENV, "XDG_CACHE_HOME", str(tmp_path / "cache"))

    def programs():
        return {
            path.name for path in (tmp_path / "cache").rglob("*") if path.name.endswith("-cache")
        }

    assert feedrun(tmp_path, "experiment=lab", "wandb=disabled", "-q", "lr=0.01")[0] == 0
    first = programs()
    assert feedrun(tmp_path, "experiment=lab", "wandb=disabled", "-q", "lr=0.02", "seed=5")[0] == 0
    assert len(first) > 3 and programs() == first
