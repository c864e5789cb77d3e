"""Figures that experiments with trained arms share: excess by training step and by context."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.papers.ssm_icl.style import look, title
from feedrun.plotting import panels


def band(ax: Any, x: Any, values: np.ndarray, name: str) -> None:
    """The mean over seeds (R, N) with its 95% interval, in the look of the arm."""
    panels.band(ax, x, values, label=title(name), **look(name))


def by_step(arrays: Mapping[str, np.ndarray], ylabel: str) -> Figure:
    """Excess on held-out sequences against training steps, log-log."""
    fig, (ax,) = panels.row(6.4, 4.0)
    for name, valid in zip(arrays["arms"], arrays["valid"], strict=True):
        band(ax, arrays["steps"], valid.T, str(name))
    ax.set(xscale="log", yscale="log", xlabel="training steps", ylabel=ylabel)
    panels.plain(ax.xaxis)
    panels.legend(fig, place="beside")
    return fig


def by_context(
    arrays: Mapping[str, np.ndarray], lines: Mapping[str, str], ylabel: str, skip: int = 1
) -> Figure:
    """Excess against observations seen, log-log; `lines`: reference -> its words."""
    fig, (ax,) = panels.row(6.4, 4.0)
    context = np.arange(arrays["excess"].shape[2])
    for name, excess in zip(arrays["arms"], arrays["excess"], strict=True):
        band(ax, context[skip:], excess[:, skip:], str(name))
    for (name, words), dots in zip(lines.items(), _dots(lines), strict=True):
        ax.plot(context[skip:], arrays[f"line_{name}"][skip:], "k", ls=dots, lw=1, label=words)
    ax.set(xscale="log", yscale="log", xlabel="observations seen", ylabel=ylabel)
    panels.plain(ax.xaxis)
    panels.legend(fig, place="beside")
    return fig


def part(
    arrays: Mapping[str, np.ndarray], name: str, *, separator: str = "."
) -> dict[str, np.ndarray]:
    """The arrays "<part>.<array>" of one part of an experiment, without its name."""
    start = f"{name}{separator}"
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}


def _dots(lines: Mapping[str, str]) -> Sequence[Any]:
    """A dash pattern a reference line."""
    return [(0, (1, 1 + 2 * k)) for k in range(len(lines))]
