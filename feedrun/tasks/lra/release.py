"""Finding the published files of Long Range Arena, and one line about what is missing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

ARCHIVE = "https://storage.googleapis.com/long-range-arena/lra_release.gz"
GET = {
    "listops": f"unpack {ARCHIVE} there",
    "retrieval": f"unpack {ARCHIVE} there",
    "pathfinder": f"unpack {ARCHIVE} there",
    "text": "unpack https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz there",
}


def files(folder: Path, inside: str, names: Sequence[str], *, task: str) -> list[Path]:
    """The paths of `names` in `inside`, looked for at every depth the archive unpacks to.

    FileNotFoundError says which are missing, where it looked and how to get them.
    """
    places = [folder / up / inside for up in ("", "lra_release", "lra_release/lra_release")]
    places.append(folder)
    missing = {place: [name for name in names if not (place / name).exists()] for place in places}
    best = min(places, key=lambda place: len(missing[place]))
    if not missing[best]:
        return [best / name for name in names]
    what = ", ".join(missing[best])
    where = f"{best}" if len(missing[best]) < len(names) else ", ".join(map(str, places))
    raise FileNotFoundError(
        f"{task}: no {what} in {where}: {GET[task]}, or leave the folder out to use data that "
        "needs no download"
    )


def choose(rng: np.random.Generator, available: int, count: int, *, what: str) -> np.ndarray:
    """`count` different indices below `available`; ValueError with both numbers if too few."""
    if count > available:
        raise ValueError(f"{what} has {available} examples, not {count}")
    return rng.permutation(available)[:count]


def cut_note(cut: int, length: int) -> str:
    """What `source` says about truncation: nothing if nothing was cut."""
    return f"; {cut} sequences cut to {length} tokens" if cut else ""
