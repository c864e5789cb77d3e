"""The end of a record: arrays, figures, claims with their verdicts, and the summary last."""

import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feedrun.experiment import Estimate, Judgement, Result, judge, verdict_row
from feedrun.records import store
from feedrun.runner import journal as journals
from feedrun.runner.config import Request


def judged(request: Request, result: Result) -> list[Judgement]:
    """The verdict of each claim. Raises ValueError where the summary holds what is not finite."""
    for name, value in result.summary.items():
        stored(name, value)
    return [judge(claim, result.summary) for claim in request.experiment.claims]


def conclude(
    request: Request, result: Result, judgements: Sequence[Judgement], disk: journals.DiskJournal
) -> store.Record:
    """Write the end of a record: arrays, figures, verdicts, and the summary last."""
    folder = disk.folder
    summary = {k: stored(k, v) for k, v in result.summary.items()}
    store.write_arrays(folder / "arrays.npz", result.arrays)
    draw(request.experiment.figures(result), folder / "figures")
    store.write_json(folder / "claims.json", [verdict_row(j) for j in judgements])
    seconds = round(time.monotonic() - disk.started, 2)
    end = {"summary": summary, "notes": dict(result.notes), "seconds": seconds}
    store.write_json(folder / "summary.json", end | {"finished": store.now()})
    for path in folder.glob("checkpoint*.npz"):
        path.unlink()
    return store.load(folder)


def stored(name: str, value: Any) -> Any:
    """A summary value as JSON: number, list, or {"value", "low", "high"}; NaN is an error."""
    if isinstance(value, Estimate):
        return {k: journals.finite(name, -1, v) for k, v in value._asdict().items()}
    return journals.finite(name, -1, value)


def result(folder: Path) -> Result:
    """What a finished run ended with, as its record keeps it."""
    end = store.read_json(folder / "summary.json")
    summary = {k: Estimate(**v) if isinstance(v, dict) else v for k, v in end["summary"].items()}
    with np.load(folder / "arrays.npz") as arrays:
        return Result(summary, dict(arrays), end["notes"])


def draw(figures: Mapping[str, Any], folder: Path) -> None:
    """Save each Figure as <stem>.png and each Animation as <stem>.gif."""
    from matplotlib.animation import Animation

    folder.mkdir(parents=True, exist_ok=True)
    for stem, figure in figures.items():
        if isinstance(figure, Animation):
            store.write_whole(folder / f"{stem}.gif", lambda part: figure.save(part, "pillow"))
        else:
            store.write_whole(
                folder / f"{stem}.png",
                lambda part: figure.savefig(part, dpi=110, bbox_inches="tight"),
            )


def note_failure(folder: Path, error: BaseException | str) -> None:
    """Write failure.json: what went wrong, in a line and (if it was raised here) in full."""
    if isinstance(error, str):
        line, text = error, ""
    else:
        line, text = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
    failure = {"error": line, "traceback": text, "when": store.now()}
    store.write_json(folder / "failure.json", failure)
