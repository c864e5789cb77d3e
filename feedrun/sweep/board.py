"""What a sweep looks like while it runs: a live table in a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from feedrun.records.sweeps import Job, State, Sweep, duration, progress_words, state
from feedrun.runner.attempt import Ending

ORDER = ("skipped", "done", "running", "queued", "stopped", "failed")
COLOURS = {"done": "green", "running": "cyan", "failed": "red", "stopped": "yellow"}
SHOWN = 12
"""Jobs listed one by one; the others are counted."""

REFRESH = 0.5
PLAIN_EVERY = 30.0
"""Seconds between two lines about a sweep in which nothing ended."""


class Board:
    """The states of a sweep's jobs, read from their records again and again.

    `skipped` jobs were finished before. `notes` holds a remark by job id ("attempt 2 of 3").
    (With memory: it stands for the screen.)
    """

    def __init__(self, sweep: Sweep, skipped: set[str]):
        self.name, self.jobs, self.skipped = sweep.folder.name, sweep.jobs, skipped
        self.states = {
            job.id: State("done" if job.id in skipped else "queued") for job in sweep.jobs
        }
        self.ended = set(skipped)
        self.notes: dict[str, str] = {}
        self.started = time.monotonic()

    def look(self, jobs: Sequence[Job] | None = None) -> None:
        """Read the states of these jobs, or of all that are not done."""
        for job in self.jobs if jobs is None else jobs:
            if self.states[job.id].name != "done":
                self.states[job.id] = state(job.folder)

    def counts(self) -> dict[str, int]:
        """How many jobs are in which state."""
        names = ("skipped" if j.id in self.skipped else self.states[j.id].name for j in self.jobs)
        found = Counter(names)
        return {name: found[name] for name in ORDER if found[name]}

    def over(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.counts().keys() & {"running", "queued"}

    def tally(self) -> str:
        """'12 jobs: 3 skipped, 2 done, ...'."""
        parts = [f"{count} {name}" for name, count in self.counts().items()]
        return f"{len(self.jobs)} job{'s' * (len(self.jobs) != 1)}: {', '.join(parts)}"

    def left(self) -> float | None:
        """Seconds left, if the jobs to come take as long as those that ended since the start."""
        ended, waiting = len(self.ended - self.skipped), len(self.jobs) - len(self.ended)
        return (time.monotonic() - self.started) / ended * waiting if ended else None

    def clock(self) -> str:
        """Time gone, and time left as far as one can tell."""
        left = self.left()
        gone = duration(time.monotonic() - self.started)
        return f"{gone}, about {duration(left)} left" if left else gone

    def view(self) -> RenderableType:
        """The table: a line of counts, then what runs and what is wrong, one line a job."""
        telling = [
            j for j in self.jobs if self.states[j.id].name in ("running", "failed", "stopped")
        ]
        head = Text.assemble((self.name, "bold"), "  ", self.tally(), ("  " + self.clock(), "dim"))
        grid = Table.grid(padding=(0, 2), pad_edge=True)
        for job in telling[:SHOWN]:
            grid.add_row(*_row(job, self.states[job.id], self.notes.get(job.id, "")))
        more = [Text(f"  and {len(telling) - SHOWN} more", "dim")] if len(telling) > SHOWN else []
        return Group(head, grid, *more)


def _row(job: Job, now: State, note: str) -> tuple[Text, ...]:
    name = Text(now.name, COLOURS.get(now.name, ""))
    about = Text(now.line or progress_words(now.progress), overflow="ellipsis", no_wrap=True)
    return name, Text(label(job)), about, Text(note, "dim")


def label(job: Job) -> str:
    """What distinguishes a job from the others of its sweep: 'lr=0.1 seed=3'."""
    return " ".join(f"{key}={value}" for key, value in job.values.items()) or job.experiment


class Screen:
    """Draws a board now and then; `line` says something that stays. (It stands for the screen.)"""

    def __init__(self, console: Console, board: Board, live: Live | None, quiet: bool):
        self.console, self.board, self.live, self.quiet = console, board, live, quiet
        self.drawn = self.spoken = time.monotonic()

    def tick(self) -> None:
        """Time has passed: look at the records and draw, unless that was done just now."""
        now = time.monotonic()
        if self.quiet or now - self.drawn < REFRESH:
            return
        self.drawn = now
        self.board.look()
        if self.live:
            self.live.update(self.board.view(), refresh=True)
        elif now - self.spoken > PLAIN_EVERY:
            self.line(f"{self.board.tally()}  {self.board.clock()}")

    def settled(self, job: Job, ending: Ending, attempt: int | None) -> None:
        """An attempt at a job has ended; `attempt` is the number of the next one, if there is."""
        board = self.board
        board.look([job])
        board.notes[job.id] = ""
        if ending.state == "busy":
            board.notes[job.id] = "another process runs it"
        elif attempt:
            board.notes[job.id] = f"attempt {attempt}"
            self.line(f"again  {label(job)}  {ending.line}; attempt {attempt} follows")
        else:
            board.ended.add(job.id)
            words = f"{ending.state}  {label(job)}  {ending.line or duration(ending.seconds)}"
            self.line(f"[{len(board.ended)}/{len(board.jobs)}] {words}")

    def line(self, text: str) -> None:
        """One line above the table."""
        if not self.quiet:
            self.spoken = time.monotonic()
            self.console.print(text, highlight=False, soft_wrap=True)


@contextmanager
def screen(console: Console, board: Board, *, quiet: bool) -> Iterator[Screen]:
    """A live table in a terminal, plain lines elsewhere, nothing where `quiet`."""
    if quiet or not console.is_terminal:
        yield Screen(console, board, None, quiet)
        return
    with Live(board.view(), console=console, auto_refresh=False, transient=True) as live:
        yield Screen(console, board, live, quiet)
