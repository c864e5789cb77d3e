import numpy as np
import pytest

from feedrun.experiment import Journal
from feedrun.papers.mean_field import march


class Box:
    """A journal that keeps what it is given; `killed_at`: the save after which it stops."""

    def __init__(self, killed_at=None):
        self.saved, self.logged, self.killed_at = None, [], killed_at

    def journal(self):
        return Journal(
            log=self.log,
            progress=lambda *_: None,
            save=self.save,
            restore=self.restore,
            scope=lambda _: self.journal(),
        )

    def restore(self, like):
        return self.saved

    def log(self, step, row):
        self.logged.append((step, row["mean"]))

    def save(self, step, state, final=False):
        self.saved = step, state
        if step == self.killed_at:
            raise KeyboardInterrupt
        return True


def run(box):
    def on(x, until):
        rows = x[None] + until[:, None]
        return rows[-1], rows

    return march.march(
        np.zeros(3),
        np.zeros((5, 3)),
        np.arange(1.0, 6.0),
        advance=on,
        clock=lambda x: x + 100,
        metrics=lambda time, row: {"mean": float(row.mean())},
        stride=2,
        journal=box.journal(),
    )


def test_a_killed_march_resumes_where_it_was():
    straight, killed = Box(), Box(killed_at=2)
    end, rows = run(straight)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    killed.killed_at = None
    again, rows_again = run(killed)
    np.testing.assert_array_equal(end, again)
    np.testing.assert_array_equal(rows, rows_again)
    assert killed.logged == straight.logged


def test_starts_that_are_stuck_are_refused_with_their_number():
    with pytest.raises(RuntimeError, match="1 of 4 starts"):
        march.refuse_stuck(np.array([[1.0, 2.0], [3.0, 3.0]]), np.array([2.0, 3.0]))
