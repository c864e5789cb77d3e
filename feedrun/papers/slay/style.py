"""What all figures of SLAY share: names in words, how mechanisms look, what lies beyond an edge."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from feedrun.plotting import panels
from feedrun.plotting.style import (
    BLUE,
    BROWN,
    DARK,
    GREEN,
    INDIGO,
    OLIVE,
    ORANGE,
    PALE,
    PINK,
    RED,
    SKY,
    WINE,
)

COLOURS = (BLUE, RED, GREEN, ORANGE, PINK, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")

WORDS = {
    "slay": "SLAY",
    "slay_class": "SLAY, its code's default",
    "slay_debiased": "SLAY, debiased anchors",
    "slay_nystroem": "SLAY, Nyström",
    "slay_tensor_sketch": "SLAY, TensorSketch",
    "slay_maclaurin": "SLAY, random Maclaurin",
    "laplace": "Laplace-only",
    "hadamard": "Hadamard",
    "square": "exact square",
    "square_prf": "exact square × features",
    "hybrid": "hybrid: exact chunk + square",
    "hybrid_prf": "hybrid: + square × features",
    "hybrid_slay": "hybrid: + SLAY",
    "window_square": "exact window + square",
    "favor": "FAVOR+",
    "favor_relu": "Performer (ReLU)",
    "elu": "ELU + 1",
    "cosformer": "cosFormer",
    "uniform": "uniform",
    "anchor_limit": "limit of SLAY",
    "laplace_limit": "limit of Laplace-only",
    "quadrature_1": "quadrature alone, R = 1",
    "quadrature_2": "quadrature alone, R = 2",
    "quadrature_3": "quadrature alone, R = 3",
    "cubic": "$x^2 + 2x^3/C$",
    "spherical_softmax": "spherical softmax $e^x$",
    "softmax": "softmax",
    "ssd": "selective state space",
    "yat": "exact spherical Yat",
    "ours": "ours: exact near, square far",
}

LAYERS = {
    "slay": "SLAY, m = 256",
    "slay_512": "SLAY, m = 512",
    "slay_2048": "SLAY, m = 2048",
    "slay_8192": "SLAY, m = 8192",
    "hadamard": "SLAY, Hadamard",
    "square": "exact square",
    "hybrid": "exact in chunk, square",
    "hybrid_slay": "exact in chunk, SLAY",
    "window_square": "window + shifted square",
    "window_square_256": "window, chunks of 256",
    "window_square_all": "window, all 2144 features",
    "window_square_equal": "window, smaller state",
    "window_square_half": "window, m = 1024",
    "window_square_quarter": "window, m = 512",
    "favor_relu": "ReLU features, m = 64",
    "elu": "ELU + 1",
    "cosformer": "cosFormer",
    "softmax": "softmax, all scores stored",
    "softmax_blocked": "softmax, rows of scores",
    "softmax_library": "softmax of jax.nn",
    "yat_blocked": "exact Yat, rows of scores",
    "uniform": "uniform mean",
}
"""Variants of one layer, as they are timed."""

TASKS = {
    "listops": "ListOps",
    "text": "Text",
    "retrieval": "Retrieval",
    "image": "Image",
    "pathfinder": "Pathfinder",
}
"""Of Long Range Arena."""

LOOKS = {
    "softmax": ("black", "o"),
    "yat": (ORANGE, "D"),
    "slay": (BLUE, "s"),
    "slay_class": (BLUE, "h"),
    "favor_relu": (PINK, "^"),
    "favor": (WINE, ">"),
    "elu": (SKY, "v"),
    "window_square": (GREEN, "P"),
    "hybrid": (GREEN, "p"),
    "ours": (GREEN, "P"),
    "square": (RED, "X"),
    "cosformer": (OLIVE, "<"),
    "hadamard": (BROWN, "H"),
    "uniform": (PALE, "*"),
    "laplace": (INDIGO, "d"),
    "hybrid_slay": (SKY, "p"),
    "ssd": (INDIGO, "D"),
}
"""Colour and marker of a mechanism, the same in all figures in which each has its own."""

OTHER = (DARK, "d")


def words(name: str) -> str:
    """A mechanism for readers; a name that is not known speaks for itself."""
    return WORDS.get(name, name)


def title(label: str) -> str:
    """The same with a budget: "slay@256" is SLAY with 256 features."""
    name, _, budget = label.partition("@")
    return words(name) + (f", {budget} features" if budget else "")


def look(label: str) -> dict[str, Any]:
    """Colour and marker of a mechanism."""
    colour, marker = LOOKS.get(label.partition("@")[0], OTHER)
    return {"color": colour, "marker": marker}


def mechanisms(ax: Any, x: np.ndarray, rows: np.ndarray, names: Sequence[str]) -> None:
    """A line with error bars for each row (N, R) of repeats of a mechanism."""
    for values, name in zip(rows, names, strict=True):
        _line(ax, x, values, label=words(name), **look(name))


def lines(ax: Any, x: np.ndarray, rows: np.ndarray, labels: Sequence[str]) -> None:
    """The same for rows of anything else, told apart by colour and marker."""
    styles = zip(rows, labels, COLOURS, MARKERS, strict=False)
    for values, label, colour, marker in styles:
        _line(ax, x, values, label=label, color=colour, marker=marker)


def _line(ax: Any, x: np.ndarray, values: np.ndarray, **style: Any) -> None:
    panels.points(ax, x, values.T, linestyle="-", linewidth=1.5, capsize=2, **style)


def dots(ax: Any, at: np.ndarray, values: np.ndarray, edge: float, **style: Any) -> None:
    """Means (N, R) to N with error bars, at heights `at`; those beyond `edge` named at the edge."""
    means = values.mean(axis=1)
    inside = means <= edge
    panels.points(ax, at[inside], values[inside].T, along="x", **style)
    beyond(ax, at[~inside], means[~inside], edge, color=style["color"])


def beyond(ax: Any, at: np.ndarray, values: np.ndarray, edge: float, *, color: str) -> None:
    """Arrows at the right edge with the numbers that do not fit, written to their left."""
    ax.plot(np.full(len(at), edge), at, ">", color=color, markersize=5)
    for height, value in zip(at, values, strict=True):
        digits = ".3g" if value < 100 else ",.0f" if value < 1e4 else ".0e"
        ax.text(
            edge - 0.02,
            height,
            f"{value:{digits}} ",
            ha="right",
            va="center",
            fontsize=7,
            color=color,
        )
