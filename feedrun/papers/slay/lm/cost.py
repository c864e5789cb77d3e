"""How fast a language model trains: tokens a second, and the share of the device's peak."""

import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.experiment import Journal
from feedrun.papers.slay.lra import cost

ROUNDS = 5
"""Products of large matrices of which the median says what the device can do."""


class Row(NamedTuple):
    """What the journal was told of the final seeds, and when, in seconds."""

    moment: float
    metrics: dict[str, Any]


def timed(journal: Journal, rows: list[Row]) -> Journal:
    """The journal, with the moment and the content of each row of the final seeds kept."""

    def scope(name: str) -> Journal:
        inner = journal.scope(name)
        if name != "seeds":
            return inner

        def log(step, metrics):
            rows.append(Row(time.perf_counter(), dict(metrics)))
            inner.log(step, metrics)

        return inner._replace(log=log)

    return journal._replace(scope=scope)


def tokens_per_second(rows: list[Row], *, tokens: int) -> float | None:
    """The median over rows of `tokens` each, compilation being over by then; None for one row."""
    gaps = np.diff([row.moment for row in rows])
    return float(tokens / np.median(gaps)) if len(gaps) else None


def peak(dtype: str) -> float:
    """Operations a second of large matrix products on all that a training runs on."""
    devices = jax.devices()
    together = 1 if devices[0].platform == "cpu" else len(devices)  # CPU devices share the cores
    return together * cost.peak(jnp.dtype(dtype), rounds=ROUNDS)


def peak_share(net: Any, speed: float, peak: float) -> float:
    """6 operations a weight and token, of those that the device can do; attention left out.

    `net`: the params of R networks, (R, ...).
    """
    one = jax.tree.map(lambda leaf: leaf[0], net)
    return 6 * cost.multiplying(one) * speed / peak
