"""Figures that experiments with trained arms share: excess by training step and by context."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from feedrun.maths import stats
from feedrun.plotting import BLUE, GREEN, ORANGE, PINK, RED, SKY, canvas

COLOURS = {
    "ssd": BLUE,
    "mamba1": SKY,
    "s_fixed": GREEN,
    "s_none": "#8B5A2B",
    "s4d": PINK,
    "softmax": RED,
    "linear": ORANGE,
    "linear_elu": ORANGE,
    "gru": "#555555",
    "lstm": "#999999",
}
WORDS = {
    "ssd": "selective SSM",
    "mamba1": "Mamba-1",
    "s_fixed": "fixed decay",
    "s_none": "no decay",
    "s4d": "S4D",
    "softmax": "softmax",
    "linear": "linear",
    "linear_elu": "linear (elu)",
    "gru": "GRU",
    "lstm": "LSTM",
    "conv": "conv",
    "rope": "RoPE",
    "learned": "learned",
    "alibi": "ALiBi",
}


def look(arm: str) -> dict[str, Any]:
    """Colour by mixer; without a short convolution a line is dashed."""
    return {
        "color": COLOURS[arm.split("+")[0]],
        "linestyle": "-" if "conv" in arm.split("+") else "--",
    }


def title(arm: str) -> str:
    """An arm's name in words."""
    return " + ".join(WORDS[word] for word in arm.split("+"))


def band(axes: Any, x: Any, values: np.ndarray, name: str) -> None:
    """The mean over seeds (R, N) with its 95% interval, in the look of the arm."""
    style = look(name)
    axes.plot(x, values.mean(axis=0), label=title(name), lw=1.6, **style)
    if len(values) >= stats.MIN_REPEATS:
        low, high = np.array([stats.mean_interval(column) for column in values.T]).T
        axes.fill_between(x, low, high, color=style["color"], alpha=0.15, lw=0)


def by_step(arrays: Mapping[str, np.ndarray], ylabel: str) -> Figure:
    """Excess on held-out sequences against training steps, log-log."""
    fig = canvas(6.4, 4.0)
    axes = fig.add_subplot()
    for name, valid in zip(arrays["arms"], arrays["valid"], strict=True):
        band(axes, arrays["steps"], valid.T, str(name))
    axes.set(xscale="log", yscale="log", xlabel="training steps", ylabel=ylabel)
    plain(axes.xaxis)
    fig.legend(loc="outside right upper", fontsize=8, frameon=False)
    return fig


def by_context(
    arrays: Mapping[str, np.ndarray], lines: Mapping[str, str], ylabel: str, skip: int = 1
) -> Figure:
    """Excess against observations seen, log-log; `lines`: reference -> its words."""
    fig = canvas(6.4, 4.0)
    axes = fig.add_subplot()
    context = np.arange(arrays["excess"].shape[2])
    for name, excess in zip(arrays["arms"], arrays["excess"], strict=True):
        band(axes, context[skip:], excess[:, skip:], str(name))
    for (name, words), dots in zip(lines.items(), _dots(lines), strict=True):
        axes.plot(context[skip:], arrays[f"line_{name}"][skip:], "k", ls=dots, lw=1, label=words)
    axes.set(xscale="log", yscale="log", xlabel="observations seen", ylabel=ylabel)
    plain(axes.xaxis)
    fig.legend(loc="outside right upper", fontsize=8, frameon=False)
    return fig


def part(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays "<part>.<array>" of one part of an experiment, without its name."""
    return {k.removeprefix(f"{name}."): v for k, v in arrays.items() if k.startswith(f"{name}.")}


def plain(axis: Any) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 times powers of ten, as plain numbers."""
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("{x:g}")


def _dots(lines: Mapping[str, str]) -> Sequence[Any]:
    """A dash pattern a reference line."""
    return [(0, (1, 1 + 2 * k)) for k in range(len(lines))]
