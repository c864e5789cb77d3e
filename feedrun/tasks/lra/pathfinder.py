"""Pathfinder: are the two discs on one contour? (Linsley et al. 2018; Tay et al. 2021)

An image of 32 x 32, 64 x 64 or 128 x 128 (Path-X) pixels, line by line: token 1 is black, 256 is
white, label 1 is yes. Settings are those with which Long Range Arena's images were made
(lra_benchmarks/data/pathfinder.py); easy, intermediate and hard are contours of 6, 9, 14 paddles.
"""

import math
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from feedrun.tasks import cache
from feedrun.tasks.lra import release, snakes
from feedrun.tasks.lra.paddles import Settings
from feedrun.tasks.lra.sequences import PIXELS, SequenceTask, pixels

CONTOURS = {"easy": 6, "intermediate": 9, "hard": 14}
FOLDERS = {
    "easy": "curv_baseline",
    "intermediate": "curv_contour_length_9",
    "hard": "curv_contour_length_14",
}
MARGINS = {32: (1,), 64: (1,), 128: (2, 3)}
DISTRACTING = {32: 20, 64: 22, 128: 35}  # paddles, shared out among distractors
CHUNK = 1000


def settings(side: int, contour: int, margin: int) -> Settings:
    """The published settings of one image size: 32, 64 or 128 pixels."""
    looks = {
        32: {"seed_distance": 7, "marker_radius": 1.5, "paddle_length": 2, "thickness": 0.5,
             "continuity": 1.0, "target": 1.5, "distractor": 2.0},
        64: {"seed_distance": 12, "marker_radius": 2.5, "paddle_length": 5, "thickness": 1.0,
             "continuity": 1.8, "target": 0.8, "distractor": 0.8},
        128: {"seed_distance": 20, "marker_radius": 3.0, "paddle_length": 5, "thickness": 1.5,
              "continuity": 1.8, "target": 0.9, "distractor": 0.9},
    }  # fmt: skip
    short = contour // 3
    return Settings(
        side=side,
        contour_length=contour,
        distractor_length=short,
        distractors=DISTRACTING[side] // short,
        margin=margin,
        **looks[side],
    )


def load(
    counts: tuple[int, int, int],
    *,
    length: int,
    folder: Path | None,
    seed: int,
    difficulty: str = "hard",
) -> SequenceTask:
    """Images of 1024, 4096 or 16384 pixels, half of each generated split with label 1.

    With `folder`, the published ones of lra_release, split 80/10/10 in their order.
    """
    side = math.isqrt(length)
    if side not in MARGINS or side**2 != length:
        raise ValueError(f"length={length}: Pathfinder has 1024, 4096 or 16384 pixels")
    if difficulty not in CONTOURS:
        raise ValueError(f"no difficulty {difficulty!r}, only {', '.join(CONTOURS)}")
    if folder is not None:
        return _published(counts, side=side, folder=folder, seed=seed, difficulty=difficulty)
    rng = np.random.default_rng(seed)
    labels = np.concatenate([rng.permutation(np.arange(count) % 2) for count in counts])
    images = generate(labels, side=side, difficulty=difficulty, seed=seed)
    edges = np.cumsum(counts)[:-1]
    parts = zip(np.split(images, edges), np.split(labels, edges), strict=True)
    train, valid, test = (pixels(*part) for part in parts)
    source = (
        f"Pathfinder {side}x{side}, {difficulty} (contours of {CONTOURS[difficulty]} paddles), "
        f"drawn with the settings of Long Range Arena, seed {seed}"
    )
    return SequenceTask(train, valid, test, PIXELS, 2, source)


def generate(labels: np.ndarray, *, side: int, difficulty: str, seed: int) -> np.ndarray:
    """Images uint8 [N, side, side] for labels [N], kept in the cache folder."""
    known = {"side": side, "difficulty": difficulty, "seed": seed, "chunk": CHUNK}
    digest = np.packbits(labels.astype(bool)).tobytes().hex()
    key = known | {"labels": digest, "count": len(labels)}

    def make() -> dict[str, np.ndarray]:
        chunks = [
            _chunk(np.random.default_rng((seed, start)), labels[start : start + CHUNK], known)
            for start in range(0, len(labels), CHUNK)
        ]
        return {"images": np.concatenate(chunks)}

    return cache.cached("pathfinder", key, make)["images"]


def _chunk(rng: np.random.Generator, labels: np.ndarray, known: dict) -> np.ndarray:
    """One stream's images, each with one of the margins."""
    side, contour = known["side"], CONTOURS[known["difficulty"]]
    margins = rng.choice(MARGINS[side], len(labels))
    images = np.empty((len(labels), side, side), np.uint8)
    for margin in MARGINS[side]:
        mine = margins == margin
        images[mine] = snakes.draw(rng, labels[mine], settings(side, contour, margin))
    return images


def _published(
    counts: tuple[int, int, int], *, side: int, folder: Path, seed: int, difficulty: str
) -> SequenceTask:
    inside = f"pathfinder{side}/{FOLDERS[difficulty]}"
    names = ("imgs", "metadata")
    _, metadata = release.files(folder, inside, names, task="pathfinder")
    lines = _lines(metadata)
    edges = [len(lines) * 8 // 10, len(lines) * 9 // 10]
    rng, broken, parts = np.random.default_rng(seed), 0, []
    for split, count in zip(np.split(np.arange(len(lines)), edges), counts, strict=True):
        taken, images = [], []
        for index in rng.permutation(split):
            if len(taken) == count:
                break
            image = _read(metadata.parent / lines[index][0], side)
            broken += image is None
            if image is not None:
                taken.append(lines[index][1])
                images.append(image)
        if len(taken) < count:
            raise ValueError(f"{metadata.parent} has {len(taken)} images of a split, not {count}")
        parts.append(pixels(np.stack(images), np.array(taken)))
    note = f"; {broken} unreadable images left out" if broken else ""
    source = f"Pathfinder {side}x{side}, {difficulty}, as published in lra_release{note}"
    train, valid, test = parts
    return SequenceTask(train, valid, test, PIXELS, 2, source)


def _lines(metadata: Path) -> list[tuple[str, int]]:
    """Image paths and labels, batch after batch; the files are text, whatever their name."""
    found = []
    batches = [path for path in metadata.glob("*.npy") if path.stem.isdigit()]
    for path in sorted(batches, key=lambda path: int(path.stem)):
        for number, line in enumerate(path.read_bytes().decode("latin1").splitlines(), start=1):
            words = line.split()
            if len(words) < 4 or words[3] not in ("0", "1"):
                raise ValueError(f"{path}: line {number} is not `folder image number label ...`")
            found.append((f"{words[0]}/{words[1]}", int(words[3])))
    if not found:
        raise FileNotFoundError(f"pathfinder: no <number>.npy in {metadata}")
    return found


def _read(path: Path, side: int) -> np.ndarray | None:
    """Pixels uint8 [side, side]; None for a file that holds no image (one is published empty)."""
    try:
        image = np.asarray(Image.open(path).convert("L"))
    except UnidentifiedImageError:
        return None
    if image.shape != (side, side):
        raise ValueError(f"{path}: {image.shape} pixels, not {side} x {side}")
    return image


def sheet(images: np.ndarray, labels: np.ndarray, *, rows: int, columns: int) -> np.ndarray:
    """A contact sheet uint8 [height, width]: label 1 in the left half, label 0 in the right.

    Images [N, side, side]; `columns` of each label, a grey line between images.
    """
    halves = []
    for label in (1, 0):
        shown = images[labels == label][: rows * columns]
        if len(shown) < rows * columns:
            raise ValueError(f"{len(shown)} images have label {label}, not {rows * columns}")
        tiles = np.pad(shown, ((0, 0), (1, 1), (1, 1)), constant_values=96)
        side = tiles.shape[1]
        grid = tiles.reshape(rows, columns, side, side).swapaxes(1, 2)
        halves.append(grid.reshape(rows * side, columns * side))
    gap = np.full((halves[0].shape[0], 4), 255, np.uint8)
    return np.concatenate([halves[0], gap, halves[1]], axis=1)
