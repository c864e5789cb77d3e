"""Labelled token sequences: the shape in which every task of Long Range Arena is trained on.

One row of a split of length T = 8: tokens [5, 1, 9, 0, 0, 0, 0, 0], length 3, label 2. Id 0 is
padding and stands only at the end.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BYTES = PIXELS = 257  # 256 values and padding


class Sequences(NamedTuple):
    """One split.

    tokens: uint8 or uint16 [N, T], or [N, 2, T] for pairs, padded with 0 at the end;
    lengths: int32 [N] or [N, 2], tokens that are not padding; labels: int32 [N].
    """

    tokens: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray


class SequenceTask(NamedTuple):
    """Three splits that share no example.

    vocabulary: ids are in [1, vocabulary), 0 is padding; classes: labels are in [0, classes);
    source: a sentence that says which data this is, for the record and every table.
    """

    train: Sequences
    valid: Sequences
    test: Sequences
    vocabulary: int
    classes: int
    source: str


class Buckets(NamedTuple):
    """A split from its shortest sequences to its longest, in equal consecutive parts.

    widths: the longest length in each part; behind it is padding alone.
    """

    data: Sequences
    widths: tuple[int, ...]


def buckets(data: Sequences, count: int) -> Buckets:
    """The split by length in `count` parts, of pairs by the longer one; equal ones keep order.

    ValueError unless the examples can be shared out equally.
    """
    if len(data.labels) % count:
        raise ValueError(f"{len(data.labels)} sequences cannot be {count} equal groups")
    longest = data.lengths.reshape(len(data.labels), -1).max(axis=1)
    order = np.argsort(longest, kind="stable")
    widths = longest[order].reshape(count, -1).max(axis=1)
    return Buckets(Sequences(*(leaf[order] for leaf in data)), tuple(map(int, widths)))


def real_share(found: Buckets) -> float:
    """The share of tokens that are not padding once each part is cut to its width."""
    rows = found.data.lengths.size // len(found.widths)
    return float(found.data.lengths.sum() / (rows * sum(found.widths)))


def majority(task: SequenceTask) -> float:
    """The share of the most frequent label of train in test: what is had without reading."""
    most = np.bincount(task.train.labels, minlength=task.classes).argmax()
    return float(np.mean(task.test.labels == most))


def pad(
    rows: Sequence[np.ndarray], *, length: int, truncate: bool, what: str = "sequences"
) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows of ids as tokens [N, length] and lengths [N], and how many were cut to `length`.

    ValueError if a row is longer than `length` and `truncate` is not set, or if one is empty.
    """
    sizes = np.array([len(row) for row in rows], np.int32)
    if sizes.size and sizes.min() < 1:
        raise ValueError(f"{int(np.sum(sizes < 1))} of {len(rows)} {what} are empty")
    cut = int(np.sum(sizes > length))
    if cut and not truncate:
        raise ValueError(
            f"{cut} of {len(rows)} {what} are longer than length={length}, the longest has "
            f"{sizes.max()}: raise length or say truncate=true"
        )
    lengths = np.minimum(sizes, length)
    dtype = rows[0].dtype if len(rows) else np.uint8
    tokens = np.zeros((len(rows), length), dtype)
    for line, row, size in zip(tokens, rows, lengths, strict=True):
        line[:size] = row[:size]
    return tokens, lengths, cut


def pixels(images: np.ndarray, labels: np.ndarray) -> Sequences:
    """Greyscale images uint8 [N, H, W] line by line: id 1 is black, 256 is white."""
    tokens = images.reshape(len(images), -1).astype(np.uint16) + 1
    lengths = np.full(len(tokens), tokens.shape[1], np.int32)
    return Sequences(tokens, lengths, labels.astype(np.int32))


def as_ids(text: bytes) -> np.ndarray:
    """Bytes of any encoding as ids 1..256, uint16."""
    return np.frombuffer(text, np.uint8).astype(np.uint16) + 1
