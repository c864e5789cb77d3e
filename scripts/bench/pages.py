"""The compare page: what reading, writing and opening it costs, of 20 runs and of 1,000."""
# pyright: reportMissingImports=false
# (playwright comes with the dev extra)

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from feedrun.compare import page, thinning
from feedrun.records import find, store
from scripts import browser
from scripts.bench.case import Case, Contestant, Gate

ROWS, SEEDS, DISTINCT = 10_000, 10, 10
FEW = 50
"""Runs that the slow contestants read."""


def cases() -> list[Case]:
    """Writing the page in both sizes; opening the large one, where there is a browser."""
    fast = importlib.util.find_spec("playwright") and browser.chromium()
    return [
        _writing("C.1 compare page of 20 runs", 20, gates=(Gate("seconds", at_most=2.0),)),
        _writing(
            "C.2 compare page of 1,000 runs, read from disk",
            1000,
            gates=(Gate("seconds", at_most=20.0),),
            peers={"json.loads of every row": Contestant(_by_json, share=FEW / 1000, note=_FEW)},
        ),
        *([_opening()] if fast else []),
    ]


_FEW = f"extrapolated from {FEW} runs; rows only"


class Outputs(NamedTuple):
    """A folder of records that lasts as long as the inputs; the last loss, meant over runs."""

    keep: tempfile.TemporaryDirectory[str]
    path: Path
    runs: int
    last: float


def _writing(
    name: str, runs: int, *, gates: tuple[Gate, ...], peers: dict[str, Contestant] | None = None
) -> Case:
    return Case(
        name,
        {"runs": runs, "rows a run": ROWS, "metrics": 2},
        partial(outputs, runs=runs),
        {"feedrun compare": Contestant(_ours)} | (peers or {}),
        _error,
        tol=1e-3,
        gates=gates,
    )


def _opening() -> Case:
    return Case(
        "C.3 opening the page of 1,000 runs in Chromium, to the first change of its curves",
        {"runs": 1000, "rows a run": ROWS},
        partial(outputs, runs=1000),
        {"feedrun compare": Contestant(_visit)},
        lambda inputs, output, contestant: abs(output - 1.0),
        tol=0.0,
        gates=(Gate("seconds", at_most=2.0),),
    )


def outputs(seed: int, *, runs: int) -> Outputs:
    """Records of as many configs as there are tens of runs; a few files of rows, copied."""
    rng = np.random.default_rng(seed)
    keep = tempfile.TemporaryDirectory()
    path, last = Path(keep.name) / "outputs", []
    for number in range(runs):
        folder = path / "made" / f"{number:06d}"
        folder.mkdir(parents=True)
        if number < DISTINCT:
            last.append(_rows(folder / "metrics.jsonl", rng))
        else:
            shutil.copy(path / "made" / f"{number % DISTINCT:06d}" / "metrics.jsonl", folder)
        _record(folder, number, last[number % DISTINCT])
    os.sync()  # what is only in memory cannot be read from disk
    return Outputs(keep, path, runs, float(np.mean(last)))


def _rows(path: Path, rng: np.random.Generator) -> float:
    """Rows as a journal writes them; returns the last loss."""
    steps = 10 * np.arange(1, ROWS + 1)
    loss = np.exp(-steps / 3e4) * (2 + 0.1 * rng.standard_normal(ROWS))
    columns = zip(steps.tolist(), loss.tolist(), rng.random(ROWS).tolist(), strict=True)
    rows = [
        {"step": step, "time": round(step / 997, 3), "scope": "train",
         "train/loss": value, "train/largest": more}
        for step, value, more in columns
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return float(loss[-1])


def _record(folder: Path, number: int, last: float) -> None:
    config = {"lr": float(f"{10 ** (number // SEEDS / 50 - 3):.4g}"), "deep": {"width": 64}}
    run = {"id": folder.name, "experiment": "made", "paper": "none", "scale": "laptop",
           "seed": number % SEEDS, "target": "made.EXPERIMENT", "config": config,
           "started": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    store.write_json(folder / "run.json", run)
    store.write_json(folder / "claims.json", [])
    summary = {"last": last} | {f"number{i}": i / (number + 1) for i in range(9)}
    store.write_json(folder / "summary.json", {"summary": summary, "notes": {}, "seconds": 1.0})


def _ours(inputs: Outputs) -> Callable[[], Any]:
    def call() -> tuple[int, float]:
        _forget(inputs)
        return write(inputs)

    return call


def write(inputs: Outputs) -> tuple[int, float]:
    """Write the page; its size and the mean of `last` over the runs as the page has it."""
    found = find.gather([inputs.path])
    text, _ = page.build(found, inputs.path.parent, read=thinning.read)
    target = inputs.path.parent / "compare.html"
    store.write_whole(target, lambda part: part.write_text(text, encoding="utf-8"))
    return target.stat().st_size, float(np.mean([r.summary["last"] for r in found.records]))


def _forget(inputs: Outputs) -> None:
    """Ask the kernel to drop the rows from its memory, as if they had never been read."""
    for path in inputs.path.glob("made/*/metrics.jsonl"):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _by_json(inputs: Outputs) -> Callable[[], Any]:
    def call() -> tuple[int, float]:
        folders = sorted((inputs.path / "made").iterdir())[:FEW]
        rows = [store.read_rows(folder / "metrics.jsonl") for folder in folders]
        return 0, float(np.mean([run[-1]["train/loss"] for run in rows]))

    return call


def _error(inputs: Outputs, output: tuple[int, float], contestant: Contestant) -> float:
    """Of the mean; infinite for a page that is too large."""
    size, last = output
    return np.inf if size > (6e6 if inputs.runs <= 20 else 8e6) else abs(last / inputs.last - 1)


def _visit(inputs: Outputs) -> Callable[[], Any]:
    write(inputs)
    target = inputs.path.parent / "compare.html"
    stack = contextlib.ExitStack()
    running = stack.enter_context(browser.browser())
    atexit.register(stack.close)

    def call() -> float:
        tab = running.new_page(viewport={"width": 1280, "height": 800})
        browser.visit(tab, target)
        tab.click("[data-focus=lx]")
        browser.settle(tab)
        pressed = tab.locator("[data-focus=lx]").get_attribute("aria-pressed") == "true"
        tab.close()
        return float(pressed)

    return call
