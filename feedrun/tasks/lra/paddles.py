"""The paddles of Pathfinder's dashed contours: every one there can be, drawn once.

Drawn as the authors' generator draws them (github.com/drewlinsley/pathfinder, snakes.py): a line
at `ANTIALIAS` times the size, widened by the margin for its mask, both shrunk with Lanczos. A
first paddle lies in one of `DEGREES` directions, each later one ends on a circle of K pixels, so
there are S = DEGREES + K, and where the next may end follows from which one the last was.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

ANTIALIAS = 2
DEGREES = 360


class Settings(NamedTuple):
    """One kind of Pathfinder image; lengths in pixels, those of contours in paddles.

    target, distractor: brightness before an image is scaled to 0..255.
    """

    side: int
    seed_distance: int
    marker_radius: float
    contour_length: int
    distractor_length: int
    distractors: int
    paddle_length: int
    thickness: float
    margin: int
    continuity: float
    target: float
    distractor: float


class Layer(NamedTuple):
    """Paddles as lists of pixels. at [S, O]: flat offsets in a canvas; value [S, O]."""

    at: np.ndarray
    value: np.ndarray


class Paddles(NamedTuple):
    """Every paddle of some settings; places are (y, x) from its start or from its pivot.

    target, distractor: its ink, uint16, 255 for brightness 1; mask, near: uint8, what may not be
    crossed and where no other paddle may end; solid [DEGREES, O, 2]: pixels that must be free for
    a first paddle; head, pivot [DEGREES, 2]: its end, and a margin before its start; step [S, 2]:
    from a pivot to the next; ends [K, 2]: from a pivot to where its paddle may end; weight [S, K]:
    the chance of each after a paddle, cos^2(continuity * turn), 0 past a right angle.
    """

    target: Layer
    distractor: Layer
    mask: Layer
    near: Layer
    solid: np.ndarray
    head: np.ndarray
    pivot: np.ndarray
    step: np.ndarray
    ends: np.ndarray
    weight: np.ndarray


def border(settings: Settings) -> int:
    """Pixels a canvas is wider than its image on each side, so that no paddle leaves it."""
    return max(_reach(settings) + settings.margin, math.ceil(settings.marker_radius) + 2)


def _reach(settings: Settings) -> int:
    return settings.paddle_length + math.ceil(settings.thickness) + settings.margin


@functools.cache
def paddles(settings: Settings) -> Paddles:
    """All paddles: whole degrees for a first one, then the ends on the circle."""
    long, gap = settings.paddle_length, settings.margin
    free = np.deg2rad(np.arange(DEGREES) - DEGREES // 2)
    ends = _circle(long + gap)
    angle = np.concatenate([free, np.arctan2(ends[:, 0], ends[:, 1])])
    drawn = np.concatenate([free, angle[DEGREES:] + np.pi])  # from its end, backwards
    lines, wide = [_line(direction, settings) for direction in drawn], _disc(gap * ANTIALIAS)
    masks = [ndimage.grey_dilation(line, footprint=wide) for line in lines]
    edge = border(settings) - _reach(settings)
    ink, mask = (np.stack([np.pad(_shrunk(a), edge) for a in some]) for some in (lines, masks))
    near = np.stack([ndimage.grey_dilation(part, footprint=_disc(gap)) for part in mask])
    shades = [np.rint(ink * bright) for bright in (settings.target, settings.distractor)]
    target, distractor = (_layer(shade.astype(np.uint16), settings) for shade in shades)
    head = _ahead(free, long)
    solid = _even([np.argwhere(part == 255) - border(settings) for part in mask[:DEGREES]])
    return Paddles(
        target=target,
        distractor=distractor,
        mask=_layer(mask, settings),
        near=_layer(near, settings),
        solid=solid,
        head=head,
        pivot=head + _ahead(free, -(long + gap)),
        step=_ahead(angle, long + 2 * gap),
        ends=ends,
        weight=_weight(angle, settings.continuity),
    )


@functools.cache
def marker(settings: Settings) -> Layer:
    """The disc at a contour's end, as the only paddle of its layer."""
    edge = border(settings)
    places = np.arange((2 * edge + 1) * ANTIALIAS) - edge * ANTIALIAS
    inside = places[:, None] ** 2 + places**2 <= (settings.marker_radius * ANTIALIAS) ** 2
    return _layer(_shrunk(inside * np.uint8(255))[None].astype(np.uint16), settings)


def _circle(radius: int) -> np.ndarray:
    """The pixels [K, 2] of a circle around 0, from points one pixel of arc apart."""
    angles = np.arange(0, 2 * np.pi, 1 / radius)
    points = np.floor(radius * np.stack([np.sin(angles), np.cos(angles)], axis=-1))
    return np.unique(points.astype(int), axis=0)


def _weight(angle: np.ndarray, continuity: float) -> np.ndarray:
    turn = np.abs(angle[DEGREES:] - angle[:, None])
    turn = np.minimum(turn, 2 * np.pi - turn) * continuity
    return np.where(turn < np.pi / 2, np.cos(turn) ** 2, 0.0)


def _ahead(angle: np.ndarray, distance: int) -> np.ndarray:
    """The pixel [N, 2] at `distance` in direction `angle` [N], rounded up as in the original."""
    return np.ceil(distance * np.stack([np.sin(angle), np.cos(angle)], axis=-1)).astype(int)


def _line(direction: float, settings: Settings) -> np.ndarray:
    """One enlarged paddle from the middle of a square, uint8."""
    middle = _reach(settings) * ANTIALIAS
    step = settings.paddle_length * ANTIALIAS
    y, x = (math.ceil(middle + step * part(direction)) for part in (math.sin, math.cos))
    image = Image.new("L", (2 * middle + 1, 2 * middle + 1))
    width = round(settings.thickness * ANTIALIAS)
    ImageDraw.Draw(image).line([(middle, middle), (x, y)], fill=255, width=width)
    return np.asarray(image)


def _shrunk(enlarged: np.ndarray) -> np.ndarray:
    size = math.ceil(len(enlarged) / ANTIALIAS)
    return np.asarray(Image.fromarray(enlarged).resize((size, size), Image.Resampling.LANCZOS))


def _disc(radius: int) -> np.ndarray:
    places = np.arange(-radius, radius + 1)
    return places[:, None] ** 2 + places**2 <= radius**2


def _layer(stamps: np.ndarray, settings: Settings) -> Layer:
    """Squares [S, P, P] around their starts as lists of the pixels that are not 0.

    A canvas is wider than its image by half a square, so a square's corner lies at its start.
    """
    width = settings.side + 2 * border(settings)
    pixels = _even([np.argwhere(stamp) for stamp in stamps])
    y, x = pixels[..., 0], pixels[..., 1]
    return Layer(y * width + x, stamps[np.arange(len(stamps))[:, None], y, x])


def _even(lists: list[np.ndarray]) -> np.ndarray:
    """Lists of pixels as one array: a shorter one repeats its first, an empty one holds 0, 0."""
    most = max(1, *(len(pixels) for pixels in lists))
    filled = [pixels if len(pixels) else np.zeros((1, 2), int) for pixels in lists]
    return np.stack([np.concatenate([p, np.repeat(p[:1], most - len(p), 0)]) for p in filled])
