"""What is believed of SLURM's queue when squeue answers, complains, or cannot be reached."""

import subprocess

import pytest

from feedrun import slurm


@pytest.fixture
def squeue(monkeypatch):
    """Let squeue answer so: squeue(stdout, stderr, code)."""

    def answer(out, err="", code=0):
        done = subprocess.CompletedProcess([], code, out, err)
        monkeypatch.setattr(slurm.subprocess, "run", lambda *_, **__: done)

    return answer


def test_jobs_that_squeue_lists_are_in_the_queue(squeue):
    squeue("7_0\n7_2\n")
    assert slurm.in_queue(["7_0", "7_1", "7_2"]) == {"7_0", "7_2"}


def test_a_job_that_squeue_does_not_know_is_not(squeue):
    squeue("", "slurm_load_jobs error: Invalid job id specified", 1)
    assert slurm.in_queue(["7_0"]) == set()


def test_no_job_is_lost_while_squeue_cannot_be_reached(squeue):
    squeue("", "slurm_load_jobs error: Unable to contact slurm controller", 1)
    assert slurm.in_queue(["7_0", "7_1"]) == {"7_0", "7_1"}


def test_a_job_has_left_once_it_was_out_of_the_queue_for_a_while(squeue, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now[0])
    queue = slurm.Queue()
    squeue("7_1\n")
    assert queue.left(["7_0", "7_1"]) == set()
    now[0] += slurm.LAG / 2
    squeue("7_0\n")  # queued again
    assert queue.left(["7_0", "7_1"]) == set()
    now[0] += slurm.LAG
    squeue("")
    assert queue.left(["7_0", "7_1"]) == {"7_1"}
