"""Drawing Pathfinder: two dashed contours grown side by side, and short ones that distract.

The algorithm is that of the authors' generator (Linsley et al. 2018; Kim et al. 2020;
github.com/drewlinsley/pathfinder, snakes2.py), for many images at once. A contour grows paddle by
paddle: each starts a gap ahead of the last and ends where chance, continuity and the contours
around allow; a pair of targets that gets stuck is begun anew, elsewhere.

Known differences: a distractor begins in the first free one of `PLACES` random places, where the
original lists all that are free; and the last paddles of both targets keep distractors away,
where the original forgets one of them.
"""

from typing import NamedTuple, TypeVar

import numpy as np

from feedrun.tasks.lra.paddles import DEGREES, Layer, Settings, border, marker, paddles

PADDING = 1  # pixels of frame that no contour may touch
TRIALS = 3  # draws of a paddle's end, before its contour is given up
SNAKE_TRIALS = 5  # beginnings of a distractor, before it is left out
PLACES = 64
NO_CHANCE = 1e-4
OCCUPIED = 0.3 * 255
CROSSING = 1.8 * 255  # masks fade at their edges, where two may overlap
PIXELS = 2**21  # of all images worked on at once


class Canvas(NamedTuple):
    """What is taken in N images: uint8 [N, W, W], W = side + 2 * border; see Paddles."""

    mask: np.ndarray
    near: np.ndarray


class Snake(NamedTuple):
    """The growing end of a contour in each of N images: its last paddle.

    pivot [N, 2]: a margin before that paddle; start [N, 2]: where it was drawn from; kind [N]:
    which of the paddles it is.
    """

    pivot: np.ndarray
    start: np.ndarray
    kind: np.ndarray


Parts = TypeVar("Parts", Canvas, Snake)


def draw(rng: np.random.Generator, labels: np.ndarray, settings: Settings) -> np.ndarray:
    """Images uint8 [N, side, side], scaled to 0..255: label 1, both discs are on one contour."""
    images = np.empty((len(labels), settings.side, settings.side), np.uint8)
    most = PIXELS // settings.side**2
    for done in range(0, len(labels), most):
        batch = slice(done, done + most)
        images[batch] = _drawn(rng, labels[batch], settings)
    return images


def _drawn(rng: np.random.Generator, labels: np.ndarray, settings: Settings) -> np.ndarray:
    canvas, targets = _targets(rng, len(labels), settings)
    ink = np.zeros(canvas.mask.shape, np.uint16)
    rows, inks = np.arange(len(labels)), paddles(settings)
    for snake in targets:
        _paint(ink, rows, snake, inks.target)
    for _ in range(settings.distractors):
        _distract(rng, canvas, ink, settings)
    begins = rng.integers(0, 2, len(labels))
    for end, which in ((targets[:2], begins), (targets[-2:], begins ^ (1 - labels))):
        start = np.stack([snake.start for snake in end])[which, rows]
        _paint(ink, rows, Snake(start, start, np.zeros_like(rows)), marker(settings))
    inside = slice(border(settings), border(settings) + settings.side)
    ink = ink[:, inside, inside]
    return np.rint(ink / ink.max(axis=(1, 2), keepdims=True) * 255).astype(np.uint8)


def _targets(
    rng: np.random.Generator, count: int, settings: Settings
) -> tuple[Canvas, list[Snake]]:
    """`count` images with their two contours: all paddles, those of the two in turn."""
    size = PIXELS // settings.side**2
    found, parts = 0, []
    while found < count:
        canvas = _blank(size, settings)
        snakes = _pair(rng, size, settings)
        rows, trail = _grow(rng, canvas, snakes, settings.contour_length, settings)
        parts.append((_some(canvas, rows), trail))
        found += len(rows)
    canvases, trails = zip(*parts, strict=True)
    return _joined(canvases, count), [_joined(step, count) for step in zip(*trails, strict=True)]


def _pair(rng: np.random.Generator, size: int, settings: Settings) -> list[Snake]:
    """First paddles: one far from every side, the other at the seed distance from it."""
    kind, solid = rng.integers(0, DEGREES, (2, size)), paddles(settings).solid
    frame = 2 * settings.seed_distance
    low = frame - solid[kind[0]].min(axis=1)
    room = settings.side - frame - solid[kind[0]].max(axis=1) - low
    start = low + np.floor(rng.random((size, 2)) * np.maximum(room, 0)).astype(int)
    start[room.min(axis=1) < 1] = -2 * settings.side  # too long in this direction: nowhere
    turn = np.deg2rad(rng.integers(0, 360, size))
    away = settings.seed_distance * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
    other = np.rint(start + away).astype(int)
    return [_begun(start, kind[0], settings), _begun(other, kind[1], settings)]


def _distract(
    rng: np.random.Generator, canvas: Canvas, ink: np.ndarray, settings: Settings
) -> None:
    """Add one short contour to each image, in place, where one is found in a few trials."""
    waiting = np.arange(len(ink))
    for _ in range(SNAKE_TRIALS):
        trial = _some(canvas, waiting)
        snake = _placed(rng, trial, settings)
        rows, trail = _grow(rng, trial, [snake], settings.distractor_length, settings)
        for whole, part in zip(canvas, trial, strict=True):
            whole[waiting[rows]] = part[rows]
        for snake in trail:
            _paint(ink, waiting[rows], snake, paddles(settings).distractor)
        waiting = np.delete(waiting, rows)
        if not waiting.size:
            return


def _placed(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> Snake:
    """A first paddle in a free place of each image; out of the image where none was found."""
    size = len(canvas.mask)
    kind = rng.integers(0, DEGREES, size)
    starts = rng.integers(0, settings.side, (size, PLACES, 2))
    spots = starts[:, :, None] + paddles(settings).solid[kind][:, None] + border(settings)
    which = np.arange(size)[:, None, None]
    taken = canvas.mask[which, spots[..., 0], spots[..., 1]].max(axis=-1)
    free = taken <= OCCUPIED
    start = starts[np.arange(size), free.argmax(axis=1)]
    start[~free.any(axis=1)] = -2 * settings.side
    return _begun(start, kind, settings)


def _begun(start: np.ndarray, kind: np.ndarray, settings: Settings) -> Snake:
    return Snake(start + paddles(settings).pivot[kind], start, kind)


def _grow(
    rng: np.random.Generator, canvas: Canvas, snakes: list[Snake], length: int, settings: Settings
) -> tuple[np.ndarray, list[Snake]]:
    """Grow contours in turn, one more paddle each, to `length` paddles; the canvas is changed.

    Returned are the images [N] in which all came out whole, and all their paddles, in order.
    """
    rows = np.flatnonzero(np.all([_fits(snake, settings) for snake in snakes], axis=0))
    snakes = [_some(snake, rows) for snake in snakes]
    trail = [(rows, snake) for snake in snakes]
    for _ in range(length - 1):
        for which in range(len(snakes)):
            grown, snakes[which] = _extend(rng, canvas, rows, snakes[which], settings)
            snakes, rows = [_some(snake, grown) for snake in snakes], rows[grown]
            trail.append((rows, snakes[which]))
    for snake in snakes:
        _occupy(canvas, rows, snake, settings)
    return rows, [_some(snake, np.searchsorted(then, rows)) for then, snake in trail]


def _fits(snake: Snake, settings: Settings) -> np.ndarray:
    places = np.stack([snake.start, snake.start + paddles(settings).head[snake.kind], snake.pivot])
    return np.all((places >= 0) & (places < settings.side), axis=(0, -1))


def _extend(
    rng: np.random.Generator, canvas: Canvas, rows: np.ndarray, snake: Snake, settings: Settings
) -> tuple[np.ndarray, Snake]:
    """The next paddle of the contours in `rows`: which of them have one [N], and that of all.

    What it follows now keeps others away; itself not yet: it would keep off its own successor.
    """
    kit = paddles(settings)
    pivot = snake.pivot + kit.step[snake.kind]
    ends = pivot[:, None] + kit.ends
    choices = _choices(rng, kit.weight[snake.kind] * _room(canvas, rows, ends, settings))
    grown, choice = np.zeros(len(rows), bool), np.zeros(len(rows), int)
    for drawn in choices.T:
        trying = np.flatnonzero(~grown & (drawn >= 0))
        choice[trying] = drawn[trying]
        new = Snake(pivot[trying], ends[trying, drawn[trying]], DEGREES + drawn[trying])
        grown[trying] = _clear(canvas.mask, rows[trying], new, kit.mask)
    _occupy(canvas, rows[grown], _some(snake, grown), settings)
    return grown, Snake(pivot, ends[np.arange(len(rows)), choice], DEGREES + choice)


def _room(canvas: Canvas, rows: np.ndarray, ends: np.ndarray, settings: Settings) -> np.ndarray:
    """How free the places [N, K, 2] are, 0..1: 0 out of the image."""
    inside = ((ends >= 0) & (ends < settings.side)).all(axis=-1)
    y, x = np.moveaxis(np.clip(ends, 0, settings.side - 1) + border(settings), -1, 0)
    return inside * (1 - canvas.near[rows[:, None], y, x] / 255)


def _choices(rng: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    """Indices [N, TRIALS] drawn with these weights [N, K], -1 where all of them vanish."""
    total = np.cumsum(chances, axis=1)
    levels = rng.random((TRIALS, len(chances), 1)) * total[:, -1:]
    chosen = np.minimum((total <= levels).sum(axis=-1), chances.shape[1] - 1)
    return np.where(total[:, -1] < NO_CHANCE, -1, chosen).T


def _clear(mask: np.ndarray, rows: np.ndarray, snake: Snake, layer: Layer) -> np.ndarray:
    there = mask.reshape(-1)[_places(mask, rows, snake, layer)].astype(np.int16)
    return np.all(there + layer.value[snake.kind] < CROSSING, axis=1)


def _occupy(canvas: Canvas, rows: np.ndarray, snake: Snake, settings: Settings) -> None:
    _paint(canvas.mask, rows, snake, paddles(settings).mask)
    _paint(canvas.near, rows, snake, paddles(settings).near)


def _paint(canvas: np.ndarray, rows: np.ndarray, snake: Snake, layer: Layer) -> None:
    """Lay the last paddles over their images, in place; the brighter wins."""
    flat, places = canvas.reshape(-1), _places(canvas, rows, snake, layer)
    flat[places] = np.maximum(flat[places], layer.value[snake.kind])


def _places(canvas: np.ndarray, rows: np.ndarray, snake: Snake, layer: Layer) -> np.ndarray:
    width = canvas.shape[-1]
    corner = (rows * width + snake.start[:, 0]) * width + snake.start[:, 1]
    return corner[:, None] + layer.at[snake.kind]


def _blank(size: int, settings: Settings) -> Canvas:
    """Canvases in which only the frame is taken."""
    parts = []
    for wide in (PADDING, PADDING + settings.margin):
        inner = np.zeros((settings.side - 2 * wide,) * 2, np.uint8)
        framed = np.pad(np.pad(inner, wide, constant_values=255), border(settings))
        parts.append(np.repeat(framed[None], size, axis=0))
    return Canvas(*parts)


def _some(whole: Parts, which: np.ndarray) -> Parts:
    return type(whole)(*(part[which] for part in whole))


def _joined(wholes: tuple[Parts, ...], count: int) -> Parts:
    parts = zip(*wholes, strict=True)
    return type(wholes[0])(*(np.concatenate(part)[:count] for part in parts))
