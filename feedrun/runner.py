"""Execute one request: record it, resume it, judge it; or hand back the record that exists."""

import contextlib
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from feedrun import broadcast, provenance, store
from feedrun import journal as journals
from feedrun.config import Request
from feedrun.experiment import Estimate, Journal, Judgement, Result, judge
from feedrun.sinks import Sink


class Failed(Exception):
    """The experiment itself raised; the traceback is in the record's failure.json."""


class Interrupted(Exception):
    """Ctrl-C (or SIGTERM) while a run was going on."""


class Outcome(NamedTuple):
    """A complete record, and whether it had been there before it was asked for."""

    record: store.Record
    existed: bool


Show = Callable[[str, int, int, Mapping[str, Any]], None]


def record_folder(request: Request) -> Path:
    """Where the record of a request lives."""
    return Path(request.settings.outputs) / request.name / request.config_id


def execute(
    request: Request,
    *,
    sinks: Sequence[Sink],
    say: Callable[[str], None],
    show: Show = lambda scope, done, total, metrics: None,
    process: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run the request, or resume it, or return its finished record.

    Two processes with one config: the second waits and gets the first one's record. Raises
    Failed when the experiment raises, Interrupted on Ctrl-C, OSError where the disk refuses.
    """
    folder = record_folder(request)
    fresh = not folder.exists()
    try:
        with broadcast.led() as start:
            folder.mkdir(parents=True, exist_ok=True)
            waiting = f"another process runs this config; waiting ({folder})"
            with store.locked(folder, lambda: say(waiting)):
                if (folder / "summary.json").exists() and not request.settings.force:
                    return Outcome(store.load(folder), existed=True)
                record = _run(request, folder, sinks, say, show, process or {}, start)
                return Outcome(record, existed=False)
    except OSError:
        if fresh and not store.read_rows(folder / "metrics.jsonl"):
            _forget(folder)  # it had not begun: a data set is missing, the disk is full
        raise


def _run(
    request: Request,
    folder: Path,
    sinks: Sequence[Sink],
    say: Callable[[str], None],
    show: Show,
    process: Mapping[str, Any],
    start: Callable[[], None],
) -> store.Record:
    if request.settings.force:
        _empty(folder)
    (folder / "failure.json").unlink(missing_ok=True)
    rows = journals.resume(folder)
    steps = journals.checkpoints(folder)
    if steps:
        say("resuming from " + ", ".join(f"{s or 'step'} {step}" for s, (step, _) in steps.items()))
    run = provenance.describe(request, folder, process)
    store.write_json(folder / "run.json", run)
    for sink in sinks:
        sink.start(run, rows, folder)
    disk = journals.DiskJournal(
        folder,
        rows,
        every=request.settings.checkpoint_seconds,
        mirror=lambda row: _each(sinks, row),
        show=show,
    )
    try:
        start()
        return conclude(request, folder, _result(request, disk.journal()), disk)
    except KeyboardInterrupt as stop:
        raise Interrupted(_how_far(disk)) from stop
    except OSError:
        raise
    except Exception as error:
        _write_failure(folder, error)
        raise Failed(
            f"{type(error).__name__}: {_first_line(error)} (see {folder}/failure.json)"
        ) from error
    finally:
        disk.close()
        for sink in sinks:
            sink.finish(folder)


def _each(sinks: Sequence[Sink], row: dict[str, Any]) -> None:
    for sink in sinks:
        sink.log(row)


def follow(request: Request) -> None:
    """What the processes beside process 0 do: run the experiment with it, if it says so.

    They keep nothing. Raises what the experiment raises.
    """
    if broadcast.share():
        _result(request, journals.follower())


def _result(request: Request, journal: Journal) -> Result:
    """Call the experiment at its precision with the run's only key."""
    import jax

    with precision(request.experiment.x64):
        key = jax.random.key(request.settings.seed)
        return request.experiment.run(request.cfg, key, journal)


@contextlib.contextmanager
def precision(x64: bool) -> Iterator[None]:
    """Float64 on or off while an experiment runs, then as it was."""
    import jax

    before = bool(jax.config.jax_enable_x64)  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_x64", x64)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def conclude(
    request: Request, folder: Path, result: Result, disk: journals.DiskJournal
) -> store.Record:
    """Write the end of a record: arrays, figures, claims, and the summary last."""
    summary = {k: stored(k, v) for k, v in result.summary.items()}
    store.write_arrays(folder / "arrays.npz", result.arrays)
    draw(request.experiment.figures(result), folder / "figures")
    judgements = [judge(claim, result.summary) for claim in request.experiment.claims]
    store.write_json(folder / "claims.json", [verdict_row(j) for j in judgements])
    seconds = round(time.monotonic() - disk.started, 2)
    end = {"summary": summary, "notes": dict(result.notes), "seconds": seconds}
    store.write_json(folder / "summary.json", end | {"finished": provenance.now()})
    for path in folder.glob("checkpoint*.npz"):
        path.unlink()
    return store.load(folder)


def stored(name: str, value: Any) -> Any:
    """A summary value as JSON: number, list, or {"value", "low", "high"}; NaN is an error."""
    if isinstance(value, Estimate):
        return {k: journals.finite(name, -1, v) for k, v in value._asdict().items()}
    return journals.finite(name, -1, value)


def verdict_row(judgement: Judgement) -> dict[str, Any]:
    """A judgement as one flat JSON object: the claim's fields (low, high are `expected_…`)."""
    claim = judgement.claim._asdict()
    expected = {f"expected_{k}": claim.pop(k) for k in ("low", "high")}
    measured = {k: v for k, v in judgement._asdict().items() if k != "claim"}
    return claim | expected | measured


def draw(figures: Mapping[str, Any], folder: Path) -> None:
    """Save each Figure as <stem>.png and each Animation as <stem>.gif."""
    from matplotlib.animation import Animation

    folder.mkdir(exist_ok=True)
    for stem, figure in figures.items():
        if isinstance(figure, Animation):
            store.write_whole(folder / f"{stem}.gif", lambda part: figure.save(part, "pillow"))
        else:
            store.write_whole(
                folder / f"{stem}.png",
                lambda part: figure.savefig(part, dpi=110, bbox_inches="tight"),
            )


def _forget(folder: Path) -> None:
    """Remove a folder in which nothing could be written, and its parents while they are empty."""
    shutil.rmtree(folder, ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        with contextlib.suppress(OSError):
            parent.rmdir()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()


def _write_failure(folder: Path, error: Exception) -> None:
    text = "".join(traceback.format_exception(error))
    failure = {
        "error": f"{type(error).__name__}: {error}",
        "traceback": text,
        "when": provenance.now(),
    }
    store.write_json(folder / "failure.json", failure)


def _how_far(disk: journals.DiskJournal) -> str:
    saved = journals.checkpoints(disk.folder)
    steps = [f"{scope or 'step'} {step}" for scope, (step, _) in saved.items()]
    return ", ".join(steps) or "the beginning (no checkpoint yet)"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["(no message)"])[0]
