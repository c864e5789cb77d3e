"""What the processes of one run say to each other.

Every process runs the experiment with the same key and data. Process 0 alone keeps the record,
talks, and decides what must be decided once (is the record finished, where to go on, is it time
to save); the others are told by a broadcast, so that they cannot come to another conclusion from
a shared file system that shows them something older. A process that is alone hears itself.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from feedrun.runtime import distributed


def share(data: bytes = b"") -> bytes:
    """The bytes that process 0 gives, on every process; all of them must call this."""
    if not distributed.several():
        return data
    from jax.experimental.multihost_utils import broadcast_one_to_all as broadcast

    # Arrays of a broadcast have one shape everywhere, so the length goes first.
    size = broadcast(np.frombuffer(len(data).to_bytes(8, "big"), np.uint8))
    length = int.from_bytes(np.asarray(size).tobytes(), "big")
    if length == 0:
        return b""
    mine = np.frombuffer(data, np.uint8) if distributed.first() else np.zeros(length, np.uint8)
    return np.asarray(broadcast(mine)).tobytes()


@contextlib.contextmanager
def led() -> Iterator[Callable[[bytes], None]]:
    """On process 0: give `start`, which sends the others into the experiment with a word.

    Left without a start (the record was finished, the disk refused), it sends them home.
    """
    started = []

    def start(word: bytes) -> None:
        share(word)
        started.append(True)

    try:
        yield start
    finally:
        if not started:
            with contextlib.suppress(Exception):  # who has gone already need not be sent home
                share(b"")


def whole(array: Any) -> np.ndarray:
    """An array as numpy, with the parts that lie on other processes; all of them must call this."""
    if getattr(array, "is_fully_addressable", True) or array.is_fully_replicated:
        return np.asarray(array)
    from jax.experimental.multihost_utils import process_allgather

    return np.asarray(process_allgather(array, tiled=True))


def spread(tree: Any, sharding: Any) -> Any:
    """The tree, which every process has, on devices of several processes.

    Raises RuntimeError where a process has other numbers than process 0: it has other data, or
    a processor that rounds differently.
    """
    import jax

    leaves, structure = jax.tree.flatten(tree)
    keys = [jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    # Random keys have no bytes to compare or to send, their words have.
    bits = [
        np.asarray(jax.random.key_data(leaf) if key else leaf)
        for leaf, key in zip(leaves, keys, strict=True)
    ]
    _same(bits)
    arrays = [jax.make_array_from_callback(b.shape, sharding, b.__getitem__) for b in bits]
    wrapped = [
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if key else array
        for array, leaf, key in zip(arrays, leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(structure, wrapped)


def _same(arrays: list[np.ndarray]) -> None:
    """Compare the checksums of all processes; all of them raise where they differ."""
    from jax.experimental.multihost_utils import process_allgather

    mine = [zlib.crc32(array.tobytes()) for array in arrays]
    sums = process_allgather(np.asarray(mine, np.uint32))
    if other := [p for p, theirs in enumerate(sums) if (theirs != sums[0]).any()]:
        raise RuntimeError(
            f"process {other[0]} starts from other numbers than process 0: it has other data, "
            "or a processor that rounds differently"
        )
