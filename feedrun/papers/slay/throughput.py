"""How fast a training is and what its device could do: seconds, tokens and operations a second."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.experiment import Journal

PEAK_SIDE = 2048
"""Of the square matrices whose product says what the device can do."""


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


def median_seconds(work: Callable[[], Any], *, rounds: int) -> float:
    """Of one call, the first left out."""
    jax.block_until_ready(work())
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(work())
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def peak(dtype: Any, *, rounds: int) -> float:
    """Operations a second of one product of square matrices."""
    a = jnp.ones((PEAK_SIDE, PEAK_SIDE), dtype)
    product = jax.jit(lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32))
    return 2 * PEAK_SIDE**3 / median_seconds(lambda: product(a), rounds=rounds)


def all_devices_peak(dtype: Any, *, rounds: int) -> float:
    """The same of all devices together; those of a CPU share its cores."""
    devices = jax.devices()
    together = 1 if devices[0].platform == "cpu" else len(devices)
    return together * peak(dtype, rounds=rounds)


def multiplying(weights: Any) -> int:
    """Numbers in matrices; not in tables, of which a token takes one row and multiplies nothing."""
    leaves = jax.tree_util.tree_leaves_with_path(weights)
    return sum(leaf.size for path, leaf in leaves if path[-1].key == "kernel")


def dense_share(weights: Any, speed: float, peak: float) -> float:
    """6 operations a weight and token at `speed` tokens a second, of `peak`; attention left out."""
    return 6 * multiplying(weights) * speed / peak
