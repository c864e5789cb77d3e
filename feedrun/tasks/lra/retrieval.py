"""Byte-level retrieval, two texts at a time: AAN citations, or pieces of the same source file.

A row: two texts, bytes plus 1, [2, T], each padded; label 1: the first paper cites the second, or
both pieces are of one file.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from feedrun.tasks.lra import release, sourcecode
from feedrun.tasks.lra.sequences import BYTES, Sequences, SequenceTask, as_ids, pad

FILES = tuple(f"new_aan_pairs.{split}.tsv" for split in ("train", "eval", "test"))
FIRST_BYTES = 10_000  # of a text, the rest is never read (Long Range Arena's input pipeline)


def load(
    counts: tuple[int, int, int],
    *,
    length: int,
    folder: Path | None,
    seed: int,
    truncate: bool = False,
) -> SequenceTask:
    """The first pairs of each AAN file of lra_release; those with an empty text are left out.

    Without `folder`: are two pieces of one source file, or of two files of one package? Half of
    each split is of each kind.
    """
    if folder is None:
        return _same_file(counts, length=length, seed=seed)
    paths = release.files(folder, "tsv_data", FILES, task="retrieval")
    parts, cut, empty = [], 0, 0
    for path, count in zip(paths, counts, strict=True):
        rows, labels = [], []
        for label, first, second in read(path):
            if len(labels) == count:
                break
            if not first or not second:
                empty += 1
                continue
            rows += [as_ids(first), as_ids(second)]
            labels.append(label)
        if len(labels) < count:
            raise ValueError(f"{path} has {len(labels)} pairs with text, not {count}")
        part, cuts = _pairs(rows, labels, length=length, truncate=truncate, what=str(path))
        parts.append(part)
        cut += cuts
    without = f"; {empty} pairs without text left out" if empty else ""
    source = f"AAN pairs as published in lra_release{release.cut_note(cut, length)}{without}"
    train, valid, test = parts
    return SequenceTask(train, valid, test, BYTES, 2, source)


def read(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Label and texts of each line: label, two ids and two texts between tabs, no header."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            cells = line.rstrip(b"\r\n").split(b"\t")
            try:
                label = int(float(cells[0]))
            except ValueError:
                label = -1
            if len(cells) != 5 or label not in (0, 1):
                raise ValueError(f"{path}: line {number} is not a label, two ids and two texts")
            yield label, cells[3][:FIRST_BYTES], cells[4][:FIRST_BYTES]


def _same_file(counts: tuple[int, int, int], *, length: int, seed: int) -> SequenceTask:
    found, rng = sourcecode.pieces(length), np.random.default_rng(seed)
    parts = []
    for split, count in zip(sourcecode.deal(found, counts, rng), counts, strict=True):
        labels = rng.permutation(np.arange(count) % 2)
        rows = [as_ids(piece.text) for pair in _pick(split, labels, rng) for piece in pair]
        parts.append(_pairs(rows, labels.tolist(), length=length, truncate=False, what="pairs")[0])
    source = f"are two pieces of one source file? ({sourcecode.described(found)})"
    train, valid, test = parts
    return SequenceTask(train, valid, test, BYTES, 2, source)


def _pick(
    split: list[sourcecode.Piece], labels: np.ndarray, rng: np.random.Generator
) -> list[tuple[sourcecode.Piece, sourcecode.Piece]]:
    """A different pair for each label, the first piece uniform among those that have a partner."""
    document = np.array([piece.document for piece in split])
    package = np.array([piece.package for piece in split])
    chosen: set[tuple[int, int]] = set()
    pairs = []
    for label in labels:
        for one in rng.integers(0, len(split), 100):
            same = document == document[one]
            partners = np.flatnonzero(same if label else (package == package[one]) & ~same)
            other = int(rng.choice(partners)) if partners.size else int(one)
            if other != one and (min(one, other), max(one, other)) not in chosen:
                chosen.add((min(one, other), max(one, other)))
                pairs.append((split[one], split[other]))
                break
        else:
            raise ValueError(
                f"too few source files for {len(labels)} pairs: ask for fewer or shorter examples, "
                "or give the folder of lra_release"
            )
    return pairs


def _pairs(
    rows: list[np.ndarray], labels: list[int], *, length: int, truncate: bool, what: str
) -> tuple[Sequences, int]:
    tokens, lengths, cut = pad(rows, length=length, truncate=truncate, what=f"texts of {what}")
    pairs = Sequences(
        tokens.reshape(-1, 2, length), lengths.reshape(-1, 2), np.array(labels, np.int32)
    )
    return pairs, cut
