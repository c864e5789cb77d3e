"""Reading records: what `feedrun report` costs on a folder of a thousand."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from feedrun.analysis.results import Wanted
from feedrun.cli import report
from feedrun.records import find, store
from feedrun.report import document
from scripts.bench.case import Case, Contestant, Gate

RECORDS, CONFIGS = 1000, 50
NUMBERS, REPEATED, REPEATS, CLAIMS = 20, 10, 16, 30


def cases() -> list[Case]:
    """The whole report and reading alone, against parsing the same files and nothing else."""
    contestants = {
        "feedrun report": Contestant(_report),
        "gather alone": Contestant(_gather),
        "json.loads of every file": Contestant(_bare),
    }
    return [
        Case(
            "R.1 report of 1,000 records",
            {
                "records": RECORDS,
                "configs": CONFIGS,
                "metrics": NUMBERS + REPEATED,
                "claims": CLAIMS,
            },
            outputs,
            contestants,
            _error,
            tol=1e-3,
            gates=(Gate("seconds", at_most=5.0),),
        )
    ]


class Outputs(NamedTuple):
    """A folder of records that lasts as long as the inputs, and the mean of one metric in it."""

    keep: tempfile.TemporaryDirectory[str]
    path: Path
    mean: float


def outputs(seed: int) -> Outputs:
    """Records of CONFIGS configs, each with as many seeds, metrics and claims as real ones."""
    rng = np.random.default_rng(seed)
    keep = tempfile.TemporaryDirectory()
    values = rng.standard_normal((RECORDS, NUMBERS))
    for number in range(RECORDS):
        _write(Path(keep.name) / "made" / f"{number:04d}", number, values[number], rng)
    return Outputs(keep, Path(keep.name), float(values[:, 0].mean()))


def _write(folder: Path, number: int, values: np.ndarray, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    size, seed = divmod(number, RECORDS // CONFIGS)
    config = {"size": size, "part": {f"key{i}": i / 7 for i in range(30)}}
    run = {"id": folder.name, "experiment": "made", "paper": "none", "scale": "laptop",
           "seed": seed, "target": "made.EXPERIMENT", "config": config,
           "started": f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}+00:00"}  # fmt: skip
    summary = {f"number{i}": value for i, value in enumerate(values.tolist())}
    summary |= {f"list{i}": rng.standard_normal(REPEATS).tolist() for i in range(REPEATED)}
    store.write_json(folder / "run.json", run)
    store.write_json(folder / "claims.json", [_claim(i, summary) for i in range(CLAIMS)])
    store.write_json(folder / "summary.json", {"summary": summary, "notes": {}, "seconds": 1.0})


def _claim(number: int, summary: dict[str, Any]) -> dict[str, Any]:
    metric = [*summary][number]
    words = {key: f"{key} {number} of a claim" for key in ("name", "statement", "source")}
    numbers = {"expected_low": 0.0, "expected_high": 1.0, "value": 0.5, "low": 0.4, "high": 0.6}
    return {**words, "origin": "paper", "metric": metric, **numbers, "n": 1, "verdict": "holds"}


def _report(inputs: Outputs) -> Callable[[], Any]:
    def call() -> float:
        found = document.document(find.gather([inputs.path]), [], Wanted())
        assert len(report.rendered(found, "text")) > CONFIGS * CLAIMS
        results = found.sections[0].results
        assert results is not None
        cells = [row.entries[0].cell for row in results.rows]
        return float(np.mean([cell.value for cell in cells if cell]))

    return call


def _gather(inputs: Outputs) -> Callable[[], Any]:
    def call() -> float:
        records = find.gather([inputs.path]).records
        return float(np.mean([record.summary["number0"] for record in records]))

    return call


def _bare(inputs: Outputs) -> Callable[[], Any]:
    def call() -> float:
        found = []
        for folder in (inputs.path / "made").iterdir():
            read = [
                json.loads((folder / f"{n}.json").read_text()) for n in ("run", "claims", "summary")
            ]
            found.append(read[-1]["summary"]["number0"])
        return float(np.mean(found))

    return call


def _error(inputs: Outputs, output: float, contestant: Contestant) -> float:
    return abs(output - inputs.mean) / abs(inputs.mean)
