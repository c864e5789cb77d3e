"""What all figures of SLAY share: names in words, how mechanisms look, error bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.maths import stats
from feedrun.plotting import BLUE, GREEN, ORANGE, PINK, RED, SKY

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

LOOKS = {
    "softmax": ("black", "o"),
    "yat": (ORANGE, "D"),
    "slay": (BLUE, "s"),
    "slay_class": (BLUE, "h"),
    "favor_relu": (PINK, "^"),
    "favor": ("#882255", ">"),
    "elu": (SKY, "v"),
    "window_square": (GREEN, "P"),
    "hybrid": (GREEN, "p"),
    "ours": (GREEN, "P"),
    "square": (RED, "X"),
    "cosformer": ("#B8A000", "<"),
    "hadamard": ("#8C564B", "H"),
    "uniform": ("0.6", "*"),
    "laplace": ("#6A51A3", "d"),
    "hybrid_slay": (SKY, "p"),
    "ssd": ("#7B4B94", "d"),
}
"""Colour and marker of a mechanism, the same in all figures in which each has its own."""

OTHER = ("0.35", "d")


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


def intervals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over the last axis, (N, R) to (N,), and half-widths below and above, (2, N)."""
    means = values.mean(axis=1)
    ends = np.array([stats.mean_interval(row) for row in values])
    return means, np.abs(ends - means[:, None]).T


def below(fig: Figure, axis: Any, columns: int) -> None:
    """One legend under all panels, from the entries of one."""
    handles, labels = axis.get_legend_handles_labels()
    fig.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )


def mechanisms(ax: Any, x: np.ndarray, rows: np.ndarray, names: Sequence[str]) -> None:
    """A line with error bars for each row (N, R) of repeats of a mechanism."""
    for values, name in zip(rows, names, strict=True):
        _line(ax, x, values, label=words(name), **look(name))


def lines(ax: Any, x: np.ndarray, rows: np.ndarray, labels: Sequence[str]) -> None:
    """The same for rows of anything else, told apart by colour and marker."""
    styles = zip(rows, labels, COLOURS, MARKERS, strict=False)
    for values, label, colour, marker in styles:
        _line(ax, x, values, label=label, color=colour, marker=marker)


def _line(ax, x, values, **style):
    means, bars = intervals(values)
    ax.errorbar(x, means, yerr=bars, markersize=5, capsize=2, linewidth=1.5, **style)


def dots(ax: Any, at: np.ndarray, values: np.ndarray, edge: float, **style: Any) -> None:
    """Means (N, R) to N with error bars, at heights `at`; those beyond `edge` named at the edge."""
    means, bars = intervals(values)
    inside = means <= edge
    options = {"markersize": 5, "linestyle": "none", **style}
    ax.errorbar(means[inside], at[inside], xerr=bars[:, inside], **options)
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
