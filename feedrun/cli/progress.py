"""The live line of a run: a bar in a terminal, a plain line now and then elsewhere, or nothing."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Show = Callable[[str, int, int, Mapping[str, Any]], None]
EVERY = 10.0
"""Seconds between two plain lines."""


class RateColumn(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="dim")


@contextmanager
def progress(console: Console, *, quiet: bool) -> Iterator[Show]:
    """Give show(scope, done, total, metrics), which an experiment's journal calls."""
    if quiet:
        yield lambda scope, done, total, metrics: None
    elif console.is_terminal:
        with _bars(console) as bars:
            yield _live(bars)
    else:
        yield _plain(console)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[latest]}"),
        console=console,
        transient=True,
    )


def _live(bars: Progress) -> Show:
    tasks = {}

    def show(scope: str, done: int, total: int, metrics: Mapping[str, Any]) -> None:
        if scope not in tasks:
            tasks[scope] = bars.add_task(scope or "run", total=total, latest="")
        bars.update(tasks[scope], completed=done, total=total)
        if metrics:
            bars.update(tasks[scope], latest=brief(metrics))

    return show


def _plain(console: Console) -> Show:
    started: dict[str, float] = {}
    spoken = {"": time.monotonic()}

    def show(scope: str, done: int, total: int, metrics: Mapping[str, Any]) -> None:
        now = time.monotonic()
        first = started.setdefault(scope, now)
        if done < total and now - spoken[""] < EVERY:
            return
        spoken[""] = now
        left = (total - done) * (now - first) / done if done else 0.0
        words = [
            scope or "run",
            f"{done}/{total}",
            f"{left:.0f} s left" if done < total else "done",
        ]
        console.print("  ".join([*words, brief(metrics)]).rstrip(), highlight=False)

    return show


def brief(metrics: Mapping[str, Any]) -> str:
    """The first three metrics in a few characters; repeats by their mean."""
    pairs = [(name.split("/")[-1], float(np.mean(v))) for name, v in list(metrics.items())[:3]]
    return " ".join(f"{name} {value:.3g}" for name, value in pairs)
