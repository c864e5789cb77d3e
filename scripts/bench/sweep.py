"""What a sweep costs beside its runs: inline, a worker's start, a finished sweep again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.bench.case import Case, Contestant, Gate

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "own"
NAP = 0.1
"""Seconds that the experiment itself takes."""

RUNS, FINISHED = 200, 1000
TINY = ("experiment=lab", "steps=10", "log_every=10", "wandb=disabled", "-q")


def cases() -> list[Case]:
    """Three cases of one contestant each: their gates are absolute."""
    inline = Contestant(_inline, share=RUNS, note=f"per run, of which {NAP} s are the run itself")
    again = Contestant(_again, note="imports, composing, looking at every record")
    return [
        Case("a run of a sweep, launcher=inline", {"runs": RUNS}, _folder,
             {"feedrun": inline}, _missing, 0, gates=(Gate("seconds", at_most=NAP + 0.15),)),
        Case("a worker, from its start to the end of its first run", {}, _warm,
             {"feedrun": Contestant(_worker)}, _missing, 0, gates=(Gate("seconds", at_most=3),)),
        Case("a finished sweep asked for again", {"runs": FINISHED}, _finished,
             {"feedrun": again}, _missing, 0, gates=(Gate("seconds", at_most=5),)),
    ]  # fmt: skip


def _folder(seed: int) -> dict[str, Any]:
    """A folder of its own, removed with this object."""
    holder = tempfile.TemporaryDirectory()
    return {"holder": holder, "path": Path(holder.name), "calls": 0}


def _feedrun(folder: Path, *words: str, wait: bool = True) -> subprocess.Popen:
    """The command line as a process that inherits no set-up of ours."""
    ours = {"FEEDRUN_SET", *os.environ.get("FEEDRUN_SET", "").split()}
    clean = {k: v for k, v in os.environ.items() if k not in ours}
    clean |= {"PYTHONPATH": f"{ROOT}:{OWN}", "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "feedrun", "--config-dir", str(OWN / "conf"), *words]
    process = subprocess.Popen(command, cwd=folder, env=clean, stdout=subprocess.DEVNULL)
    if wait and process.wait(600):
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(words)}")
    return process


def _inline(inputs: dict[str, Any]) -> Callable[[], int]:
    """Run all of a new sweep; returns how many records are missing."""

    def call() -> int:
        inputs["calls"] += 1
        outputs = f"outputs{inputs['calls']}"
        sweep = (f"seed=range({RUNS})", f"pause={NAP}", "launcher=inline", f"outputs={outputs}")
        _feedrun(inputs["path"], "-m", *TINY, *sweep)
        return RUNS - len(list(inputs["path"].glob(f"{outputs}/lab/*/summary.json")))

    return call


def _warm(seed: int) -> dict[str, Any]:
    """A folder whose compile cache holds the programs of the tiny run."""
    inputs = _folder(seed)
    _feedrun(inputs["path"], *TINY)
    return inputs


def _worker(inputs: dict[str, Any]) -> Callable[[], int]:
    """Start a worker as a local sweep does and have it do a run that was never done."""
    from feedrun.runner.config import RunSpec
    from feedrun.sweep.local import TICK, _Worker, places
    from feedrun.sweep.units import Unit

    run = json.loads(next(inputs["path"].glob("outputs/lab/*/run.json")).read_text())

    def call() -> int:
        inputs["calls"] += 1
        outputs = inputs["path"] / str(inputs["calls"])
        composed = _composed(run, str(outputs))
        unit = Unit((RunSpec(composed, "lab", [], None, "first"),), (outputs,))
        with _cache(inputs["path"] / "cache"):
            worker = _Worker(places(1, 1)[0])
            worker.give(unit, inputs["path"])
            while (ending := worker.ended(None)) is None:
                time.sleep(TICK / 50)
        worker.unit = None
        worker.dismiss()
        return int(ending.state != "done") + 1 - len(list(outputs.glob("lab/*/summary.json")))

    return call


def _composed(run: dict[str, Any], outputs: str) -> dict[str, Any]:
    """The composed config of a record, for another folder."""
    import yaml

    root = yaml.safe_load((ROOT / "configs/config.yaml").read_text())
    lab = yaml.safe_load((OWN / "conf/experiment/lab.yaml").read_text())
    base = {k: v for k, v in root.items() if k not in ("defaults", "hydra")} | lab | run["config"]
    own = {"scale": run["scale"], "outputs": outputs, "data_folder": "data", "wandb": "disabled"}
    return base | own


class _cache:
    """A compile cache of one's own, and the lab on the path, for processes started meanwhile."""

    def __init__(self, folder: Path):
        self.wanted = {"XDG_CACHE_HOME": str(folder)}

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in self.wanted}
        os.environ.update(self.wanted)
        sys.path.insert(0, str(OWN))

    def __exit__(self, *_: Any) -> None:
        sys.path.remove(str(OWN))
        for name, value in self.before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _finished(seed: int) -> dict[str, Any]:
    """A sweep in which one run was done, and its record copied for all the others."""
    inputs = _folder(seed)
    inputs["words"] = ("-m", *TINY, f"seed=range({FINISHED})", "launcher=inline")
    process = _feedrun(inputs["path"], *inputs["words"], wait=False)
    while not (first := next(inputs["path"].glob("outputs/lab/*/summary.json"), None)):
        time.sleep(0.05)
    process.kill()
    process.wait()
    (plan,) = inputs["path"].glob("outputs/sweeps/*/sweep.json")
    for job in json.loads(plan.read_text())["jobs"]:
        folder = inputs["path"] / "outputs" / job["folder"]
        if folder != first.parent:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(first.parent, folder)
    return inputs


def _again(inputs: dict[str, Any]) -> Callable[[], int]:
    """Ask for it again; returns how many records were written."""

    def call() -> int:
        started = time.time()
        _feedrun(inputs["path"], *inputs["words"])
        written = [p.stat().st_mtime for p in inputs["path"].glob("outputs/lab/*/summary.json")]
        return sum(at >= started for at in written) + FINISHED - len(written)

    return call


def _missing(inputs: dict[str, Any], output: int, contestant: Contestant) -> float:
    return float(output)
