"""Images read pixel by pixel: greyscale CIFAR-10, as in Long Range Arena, or what is at hand.

A row of 32 x 32 pixels, line by line: token 1 is black, 256 is white, label 3 is a cat.
"""

import math
from pathlib import Path

import numpy as np

from feedrun.tasks import images
from feedrun.tasks.lra import release
from feedrun.tasks.lra.sequences import PIXELS, Sequences, SequenceTask, pixels

SIDE = 32
LUMA = (0.2989, 0.5870, 0.1140)
TITLES = {
    "cifar10": "CIFAR-10 in grey",
    "fashion_mnist": "Fashion-MNIST in a frame of 32x32",
    "mnist": "MNIST in a frame of 32x32",
    "mnist_5k": "5,000 digits of MNIST in a frame of 32x32",
}


def load(
    counts: tuple[int, int, int],
    *,
    length: int,
    folder: Path | None,
    seed: int,
    data: str | None = None,
) -> SequenceTask:
    """Images of 10 classes as `length` = 1024 pixels, or 256 or 64, means of squares of them.

    `data` is cifar10, fashion_mnist, mnist or mnist_5k; None: cifar10 with a `folder`, else
    Fashion-MNIST if its Debian package is installed, else mnist_5k. The last has one split only,
    of which test examples are held out.
    """
    pool = {SIDE**2 // 4**k: 2**k for k in range(3)}.get(length)
    if pool is None:
        raise ValueError(f"length={length}: an image has 1024 pixels, or 256 or 64 means of them")
    here = images.DEBIAN.is_dir()
    data = data or ("cifar10" if folder else "fashion_mnist" if here else "mnist_5k")
    place = folder or images.DEBIAN
    known = images.load(data, folder=place)
    rng = np.random.default_rng(seed)
    if data == "mnist_5k":
        order = release.choose(rng, len(known.y), sum(counts), what=data)
        chosen = np.split(order, np.cumsum(counts)[:-1])
        parts = [(known.x[some], known.y[some]) for some in chosen]
    else:
        held = images.load(data, folder=place, split="test")
        order = release.choose(rng, len(known.y), counts[0] + counts[1], what=f"{data} train")
        last = release.choose(rng, len(held.y), counts[2], what=f"{data} test")
        parts = [(known.x[some], known.y[some]) for some in np.split(order, [counts[0]])]
        parts.append((held.x[last], held.y[last]))
    train, valid, test = (_split(x, y, pool) for x, y in parts)
    shown = f"{math.isqrt(length)}x{math.isqrt(length)}"
    source = f"{TITLES[data]} ({known.notes['source']}), read as {length} pixels of {shown}"
    return SequenceTask(train, valid, test, PIXELS, 10, source)


def _split(x: np.ndarray, y: np.ndarray, pool: int) -> Sequences:
    return pixels(pooled(framed(grey(x)), pool), y)


def grey(x: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W] of colours [N, H, W, 3], weighed as the eye does (ITU-R BT.601)."""
    return x if x.ndim == 3 else np.floor(x @ np.array(LUMA) + 0.5).astype(np.uint8)


def framed(x: np.ndarray) -> np.ndarray:
    """Images [N, H, W] in the middle of 32 x 32 black pixels."""
    edges = [(0, 0), *(((SIDE - size) // 2, (SIDE - size + 1) // 2) for size in x.shape[1:])]
    return np.pad(x, edges)


def pooled(x: np.ndarray, pool: int) -> np.ndarray:
    """Means of squares of pool x pool pixels, uint8."""
    size = x.shape[1] // pool
    return np.rint(x.reshape(-1, size, pool, size, pool).mean(axis=(2, 4))).astype(np.uint8)
