"""Byte-level text classification: IMDb reviews, or Python source by package.

A row: the bytes of `import numpy`, each plus 1, label 0 (which package, or 1 for a good review).
"""

from pathlib import Path

import numpy as np

from feedrun.tasks.lra import release, sourcecode
from feedrun.tasks.lra.sequences import BYTES, Sequences, SequenceTask, as_ids, pad

FOLDERS = ("train/neg", "train/pos", "test/neg", "test/pos")


def load(
    counts: tuple[int, int, int],
    *,
    length: int,
    folder: Path | None,
    seed: int,
    truncate: bool = False,
) -> SequenceTask:
    """IMDb's reviews (Maas et al. 2011) from `folder`/aclImdb, 2 classes, bytes as they are.

    Validation examples are held out of train. Without `folder`: which of four packages is a piece
    of source from, equally many of each. An empty review is an error.
    """
    if folder is None:
        return _packages(counts, length=length, seed=seed)
    paths = release.files(folder, "aclImdb", FOLDERS, task="text")
    rng, cut, parts = np.random.default_rng(seed), 0, []
    wanted = ((counts[0], counts[1]), (counts[2],))
    for kind, some in zip((paths[:2], paths[2:]), wanted, strict=True):
        files = [(path, y) for y, place in enumerate(kind) for path in sorted(place.glob("*.txt"))]
        order = release.choose(rng, len(files), sum(some), what=str(kind[0].parent))
        for chosen in np.split(order, np.cumsum(some)[:-1]):
            rows = [as_ids(files[i][0].read_bytes()) for i in chosen]
            what = f"reviews in {kind[0].parent}"
            tokens, lengths, cuts = pad(rows, length=length, truncate=truncate, what=what)
            labels = np.array([files[i][1] for i in chosen], np.int32)
            parts.append(Sequences(tokens, lengths, labels))
            cut += cuts
    source = f"IMDb reviews as bytes (aclImdb){release.cut_note(cut, length)}"
    train, valid, test = parts
    return SequenceTask(train, valid, test, BYTES, 2, source)


def _packages(counts: tuple[int, int, int], *, length: int, seed: int) -> SequenceTask:
    found, classes = sourcecode.pieces(length), len(sourcecode.PACKAGES)
    rng, parts = np.random.default_rng(seed), [[] for _ in counts]
    shares = [-(-count // classes) for count in counts]
    for package, name in enumerate(sourcecode.PACKAGES):
        mine = [piece for piece in found if piece.package == package]
        for part, split, share in zip(
            parts, sourcecode.deal(mine, shares, rng), shares, strict=True
        ):
            if len(split) < share:
                raise ValueError(
                    f"{name} has {len(split)} pieces of {length} bytes for a split, not {share}: "
                    "ask for fewer or shorter examples, or give the folder of IMDb"
                )
            part += split[:share]
    train, valid, test = (
        _sequences([part[i] for i in rng.permutation(len(part))[:count]], length)
        for part, count in zip(parts, counts, strict=True)
    )
    source = f"which package is this source from? ({sourcecode.described(found)})"
    return SequenceTask(train, valid, test, BYTES, classes, source)


def _sequences(part: list[sourcecode.Piece], length: int) -> Sequences:
    rows = [as_ids(piece.text) for piece in part]
    tokens, lengths, _ = pad(rows, length=length, truncate=False)
    return Sequences(tokens, lengths, np.array([piece.package for piece in part], np.int32))
