"""Sweeps on a real SLURM: arrays, crashes, preemption, and a launching process that dies."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feedrun.records import store, sweeps
from tests import children
from tests.children import until

OWN = Path(__file__).parent.parent / "own"
LAB = ("--config-dir", str(OWN / "conf"), "-m", "experiment=lab", "wandb=disabled")
SMALL = ("launcher=slurm", "launcher.cpus_per_task=1", "launcher.mem_gb=2")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("slurm")]


def start(folder, *words):
    env = os.environ | {"PYTHONPATH": str(OWN), "COLUMNS": "120"}
    return children.start([sys.executable, "-m", "feedrun", *words], folder, env)


def finished(process):
    """(exit code, stdout, stderr) of a command."""
    done = process.ended()
    return done.returncode, done.stdout, done.stderr


def complete(folder):
    return [r for r in store.records(folder / "outputs") if r.state == "complete"]


def records(folder):
    """The complete records by seed."""
    return {record.run["seed"]: record for record in complete(folder)}


def rows(record):
    found = store.read_rows(record.folder / "metrics.jsonl")
    return [{k: v for k, v in row.items() if k != "time"} for row in found]


def test_array_of_real_runs_survives_the_kill_of_one_job(tmp_path):
    words = ("-m", "experiment=particles_clustering", "scale=smoke", "wandb=disabled")
    process = start(tmp_path, *words, "seed=range(6)", *SMALL)

    def victim():
        """The process of a job that has begun its run."""
        for path in tmp_path.glob("outputs/sweeps/*/logs/*.log"):
            record = tmp_path / "outputs/particles_clustering" / path.stem
            if (record / "metrics.jsonl").exists() and not (record / "summary.json").exists():
                return int(re.findall(r"process (\d+)", path.read_text())[0])

    os.kill(until(victim, process), signal.SIGKILL)
    code, out, err = finished(process)
    assert code == 0, err
    assert "6 jobs: 6 done" in out
    (again,) = [line for line in err.splitlines() if line.startswith("again")]
    assert "left no result: state FAILED" in again and "attempt 2 follows" in again
    assert set(records(tmp_path)) == set(range(6))
    (folder,) = (tmp_path / "outputs/sweeps").iterdir()
    (script, *_) = sorted(folder.glob("slurm/*_submission.sh"), key=os.path.getmtime)
    assert "#SBATCH --array=0-5%6" in script.read_text()


def test_preempted_job_is_queued_again_and_ends_as_if_nothing_had_happened(tmp_path):
    whole = ("trouble=hold", "checkpoint_seconds=0")
    process = start(tmp_path, *LAB, *SMALL, *whole, "seed=0,1")
    path = until(lambda: next(tmp_path.glob("outputs/lab/*/checkpoint-train.npz"), None), process)
    (folder,) = (tmp_path / "outputs/sweeps").iterdir()
    job = store.read_json(folder / "slurm.json")[path.parent.name]
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    until(lambda: sweeps.state(path.parent).name == "stopped", process)
    (tmp_path / "go").touch()
    code, out, err = finished(process)
    assert code == 0 and "2 jobs: 2 done" in out, err
    log = (folder / "logs" / f"{path.parent.name}.log").read_text()
    assert log.count(" SLURM job ") == 2 and "resuming from train" in log

    solo = tmp_path / "solo"
    solo.mkdir()
    (solo / "go").touch()
    code, _, err = finished(start(solo, *LAB, *whole, "seed=0,1", "-q"))
    assert code == 0, err
    ours, theirs = records(tmp_path), records(solo)
    preempted = [seed for seed, record in ours.items() if record.run["resumed"]]
    assert len(preempted) == 1
    for seed in (0, 1):
        assert rows(ours[seed]) == rows(theirs[seed])
        assert ours[seed].summary == theirs[seed].summary


def test_command_given_again_after_its_process_was_killed_waits_for_its_jobs(tmp_path):
    words = (*LAB, *SMALL, "trouble=none,hold", "seed=range(3)")
    process = start(tmp_path, *words)
    until(lambda: len(list(tmp_path.glob("outputs/lab/*/summary.json"))) >= 2, process)
    process.send(signal.SIGKILL)
    process.ended()
    done = {record.folder for record in complete(tmp_path)}
    assert 2 <= len(done) <= 3
    (tmp_path / "go").touch()
    before = {folder: (folder / "summary.json").stat().st_mtime_ns for folder in done}
    code, out, err = finished(start(tmp_path, *words))
    assert code == 0, err
    assert "of an earlier command are still in the queue" in err
    assert re.search(r"6 jobs: [23456] skipped", out)
    assert len(complete(tmp_path)) == 6
    assert all(record.run["resumed"] == [] for record in complete(tmp_path))
    assert before == {folder: (folder / "summary.json").stat().st_mtime_ns for folder in done}


def test_settings_that_slurm_refuses_are_one_line(tmp_path):
    code, _, err = finished(start(tmp_path, *LAB, *SMALL, "launcher.partition=nowhere", "seed=1,2"))
    assert code == 2
    (line,) = err.splitlines()
    assert "SLURM takes no job" in line and "partition" in line


def test_setup_and_additional_parameters_reach_the_job(tmp_path):
    words = (
        "launcher.setup=[export MARK=here,scontrol show job $SLURM_JOB_ID > $MARK]",
        "launcher.comment=as it was told",
        "launcher.additional_parameters={nice: 7, mail-type: none}",
    )
    code, _, err = finished(start(tmp_path, *LAB, *SMALL, *words, "seed=0"))
    assert code == 0, err
    job = (tmp_path / "here").read_text()
    assert "Comment=as it was told" in job and "Nice=7" in job
    assert set(records(tmp_path)) == {0}


PAIR = ("--config-dir", str(OWN / "conf"), "-m", "experiment=pair", "wandb=disabled")
TWO = ("launcher.tasks_per_node=2", "process.distributed=auto", "process.devices=1")


def test_a_job_of_two_tasks_is_one_run_over_two_processes(tmp_path):
    code, out, err = finished(start(tmp_path, *PAIR, *SMALL, *TWO, "seed=0,1"))
    assert code == 0 and "2 jobs: 2 done" in out, err
    for record in records(tmp_path).values():
        assert record.run["process"]["processes"] == record.run["device"]["count"] == 2
    assert len(records(tmp_path)) == 2


def test_a_preempted_job_of_two_tasks_resumes_in_both(tmp_path):
    words = (*PAIR, *SMALL, *TWO, "hold=true", "checkpoint_seconds=0", "seed=0")
    process = start(tmp_path, *words)
    path = until(lambda: next(tmp_path.glob("outputs/pair/*/checkpoint.npz"), None), process)
    (folder,) = (tmp_path / "outputs/sweeps").iterdir()
    job = store.read_json(folder / "slurm.json")[path.parent.name]
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    until(lambda: sweeps.state(path.parent).name == "stopped", process)
    (tmp_path / "go").touch()
    code, out, err = finished(process)
    assert code == 0 and "1 job: 1 done" in out, err
    (record,) = records(tmp_path).values()
    assert len(record.run["resumed"]) == 1 and len(rows(record)) == 20


def test_a_task_that_fails_ends_its_job(tmp_path):
    process = start(tmp_path, *PAIR, *SMALL, *TWO, "launcher.retries=0", "trouble=-1,1")
    code, out, err = finished(process)
    assert code == 1 and "1 done" in out and "1 failed" in out, err
    assert "process 1: RuntimeError: broken here" in err
