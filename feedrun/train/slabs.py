"""Large batches a slab at a time, all slabs of one shape, so that one program serves them."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def in_slabs(f: Callable[[Any], Any], batch: Any, slab: int, *, axis: int = 0) -> np.ndarray:
    """f of `slab` leading rows of the batch at a time, joined along `axis` of what it returns.

    The last slab is filled up with the first rows, whose results are dropped.
    """
    count = len(jax.tree.leaves(batch)[0])
    parts = []
    for start in range(0, count, slab):
        rows = np.arange(start, start + slab) % count
        parts.append(np.asarray(f(jax.tree.map(lambda leaf, rows=rows: leaf[rows], batch))))
    return np.concatenate(parts, axis=axis).take(np.arange(count), axis=axis)
