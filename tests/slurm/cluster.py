"""A SLURM cluster of one node for tests: munged, slurmctld and slurmd, all in one folder.

A job that is queued again has to wait for its old credential to expire: 10 s here, not 120.
"""

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests import children

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
CONFIG = """
ClusterName=feedrun
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=5
JobRequeue=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PreemptMode=REQUEUE
"""


def missing() -> str | None:
    """Why there can be no cluster here, or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    absent = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if absent:
        return f"no {', '.join(absent)} (Debian: apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "SLURM's daemons need root here"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[None]:
    """The cluster while it is up, SLURM_CONF pointing at it."""
    config = _configure(folder)
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(config)
    daemons: list[subprocess.Popen] = []
    try:
        daemons.append(_start(folder, "munged", *_munge(folder)))
        _until((folder / "munge.socket").exists, "munged")
        daemons.append(_start(folder, "slurmctld", "-D", "-f", str(config)))
        _until(lambda: "UP" in _said("scontrol", "ping"), "slurmctld")
        daemons.append(_start(folder, "slurmd", "-D", "-f", str(config)))
        _until(lambda: "idle" in _said("sinfo", "-h", "-o", "%T"), "slurmd")
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            subprocess.run(["scancel", "--user", getpass.getuser()], capture_output=True)
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before


def _configure(folder: Path) -> Path:
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munge insists that others cannot write there
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    text = CONFIG.format(
        host=socket.gethostname().split(".")[0],
        user=getpass.getuser(),
        folder=folder,
        controller=_free_port(),
        daemon=_free_port(),
        cores=os.cpu_count(),
        memory=int(memory * 0.9),
    )
    config = folder / "slurm.conf"
    config.write_text(text)
    return config


def _munge(folder: Path) -> list[str]:
    names = {"key-file": "key", "socket": "socket", "log-file": "log", "pid-file": "pid"}
    files = [f"--{option}={folder}/munge.{suffix}" for option, suffix in names.items()]
    return ["--foreground", "--force", f"--seed-file={folder}/munge.seed", *files]


def _start(folder: Path, name: str, *words: str) -> subprocess.Popen:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    program = shutil.which(name, path=path)
    assert program
    with open(folder / f"{name}.out", "w") as log:
        return subprocess.Popen(
            [program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )


def _until(ready, what: str) -> None:
    end = time.monotonic() + children.PATIENCE
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come up within {children.PATIENCE:g} s")
        time.sleep(0.1)


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
