"""A sweep on a SLURM cluster, through submitit: arrays of jobs that requeue and resume.

What is submitted is remembered in the sweep's folder, so that a launching process that was killed
can be started again and waits for the jobs that are still in the queue instead of repeating them.
"""

import contextlib
import io
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedrun.errors import BadInput
from feedrun.records import store
from feedrun.runner import attempt
from feedrun.runner.attempt import Ending
from feedrun.sweep import slurm_settings
from feedrun.sweep.board import Screen
from feedrun.sweep.slurm_settings import Settings
from feedrun.sweep.units import Settle, Unit, wait_for

POLL = 2.0
LAG = 10.0
"""Seconds after a job has left the queue in which its result may still turn up."""


class Remote:
    """What a job does: one attempt at a unit. (A class: submitit asks it for `checkpoint`.)"""

    def __init__(self, logs: Path):
        self.logs = logs

    def __call__(self, unit: Unit) -> Ending:
        where = f"SLURM job {os.environ.get('SLURM_JOB_ID')} on {os.uname().nodename}"
        return attempt.attempt_logged(unit.specs, self.logs / f"{unit.specs[0].id}.log", where)

    def checkpoint(self, unit: Unit) -> Any:
        """Called before a job is preempted or out of time: it is queued again as it is.

        Its run goes on from its own checkpoint.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, unit)


def run(
    units: Sequence[Unit],
    *,
    folder: Path,
    settle: Settle,
    screen: Screen,
    queue: Settings,
) -> None:
    """Submit the units as one array, wait for their ends, submit again what is to be retried."""
    executor = _executor(folder / "slurm", queue)
    waiting = _adopted(units, folder, queue.tasks)
    if waiting:
        screen.line(f"{len(waiting)} jobs of an earlier command are still in the queue")
    known = {_key(unit) for unit, _ in waiting}
    waiting += _submitted(executor, [u for u in units if _key(u) not in known], folder, screen)
    jobs = Queue()
    try:
        while waiting:
            time.sleep(POLL)
            left = jobs.left([job.job_id for _, job in waiting])
            ended = [(unit, job, _ending(job, left)) for unit, job in waiting]
            waiting = [(unit, job) for unit, job, ending in ended if ending is None]
            again = [u for unit, _, ending in ended if ending for u in settle(unit, ending)]
            waiting += _submitted(executor, again, folder, screen)
            screen.tick()
    except KeyboardInterrupt:
        screen.line(f"{len(waiting)} jobs stay in SLURM's queue; scancel stops them")
        raise


def _executor(folder: Path, queue: Settings) -> Any:
    """submitit's executor with the launcher's settings. Raises BadInput where there is no SLURM."""
    import submitit

    try:
        executor = submitit.AutoExecutor(
            folder=folder, cluster="slurm", slurm_max_num_timeout=queue.max_num_timeout
        )
    except RuntimeError as error:
        raise BadInput(f"SLURM takes no job: {_last_line(error)}") from error
    executor.update_parameters(**slurm_settings.parameters(queue))
    return executor


def _submitted(
    executor: Any, units: Sequence[Unit], folder: Path, screen: Screen
) -> list[tuple[Unit, Any]]:
    """The units with their jobs, which are noted in slurm.json."""
    if not units:
        return []
    wait_for(max(units, key=lambda unit: unit.not_before))
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # what sbatch says comes with the error
            jobs = executor.map_array(Remote(folder.absolute() / "logs"), units)
    except Exception as error:  # no sbatch, or it does not like our settings
        said = [line for line in str(error).splitlines() if line.startswith("sbatch: ")]
        line = said[-1] if said else _last_line(error)
        raise BadInput(f"SLURM takes no job: {line}") from error
    noted = _noted(folder) | {_key(u): job.job_id for u, job in zip(units, jobs, strict=True)}
    store.write_json(folder / "slurm.json", noted)
    screen.line(f"submitted {len(jobs)} jobs to SLURM: {jobs[0].job_id.split('_')[0]}")
    return list(zip(units, jobs, strict=True))


def _adopted(units: Sequence[Unit], folder: Path, tasks: int) -> list[tuple[Unit, Any]]:
    """Units whose jobs an earlier launching process submitted and which are still in the queue."""
    import submitit

    noted = _noted(folder)
    alive = in_queue(list(noted.values()))
    found = [(unit, noted.get(_key(unit))) for unit in units]
    return [
        (unit, submitit.SlurmJob(folder=folder / "slurm", job_id=job, tasks=list(range(tasks))))
        for unit, job in found
        if job in alive
    ]


def _noted(folder: Path) -> dict[str, str]:
    path = folder / "slurm.json"
    return store.read_json(path) if path.exists() else {}


def _key(unit: Unit) -> str:
    return " ".join(task.id for task in unit.specs)


def in_queue(jobs: Sequence[str]) -> set[str]:
    """Which of these SLURM jobs wait or run, by squeue; all of them where it cannot say."""
    if not jobs:
        return set()
    command = ["squeue", "--noheader", "--array", "--format=%i", "--jobs", ",".join(jobs)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and "Invalid job id" not in done.stderr:  # else: it knows none of them
        return set(jobs)
    return set(done.stdout.split())


class Queue:
    """Which jobs have left SLURM's queue for good. (With memory: it stands for the outside world.)

    A job's results may be seen here later than its end, on a file system of the network.
    """

    def __init__(self) -> None:
        self.gone: dict[str, float] = {}

    def left(self, jobs: Sequence[str]) -> set[str]:
        """The jobs that have been out of the queue for a while."""
        alive, now = in_queue(jobs), time.monotonic()
        self.gone = {job: self.gone.get(job, now) for job in jobs if job not in alive}
        return {job for job, since in self.gone.items() if now - since >= LAG}


def _ending(job: Any, left: set[str]) -> Ending | None:
    """How a job ended, None while it waits or runs. Its results are written before it leaves."""
    tasks = [job.task(k) for k in range(job.num_tasks)]
    known = [task for task in tasks if task.paths.result_pickle.exists()]
    if len(known) < len(tasks) and job.job_id not in left:
        return None
    try:
        return _worst([task.result() for task in known]) if known else Ending("failed", _fate(job))
    except Exception as error:  # whatever submitit found in place of a result
        return Ending("failed", _last_line(error))


def _worst(endings: Sequence[Ending]) -> Ending:
    """The ending of a job whose tasks ended so: process 0's, with what only others know."""
    failed = [ending for ending in endings if ending.state == "failed"]
    if not failed:
        return endings[0]
    others = [e.line for e in failed[1:] if not e.line.endswith(failed[0].line)]
    return failed[0]._replace(line="; ".join([failed[0].line, *others]))


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _fate(job: Any) -> str:
    """What SLURM says of a job that left no result."""
    command = ["scontrol", "show", "job", "--oneliner", job.job_id]
    done = subprocess.run(command, capture_output=True, text=True)
    words = dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)
    state, code = words.get("JobState", "unknown"), words.get("ExitCode", "unknown")
    return f"SLURM job {job.job_id} left no result: state {state}, exit code:signal {code}"
