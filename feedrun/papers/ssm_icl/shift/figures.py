"""Figures of icl_shift: distances to both oracles by shift and by context, and training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.arms.figures import band, by_step, part
from feedrun.papers.ssm_icl.style import look, title
from feedrun.plotting import panels
from feedrun.plotting.style import DARK

TITLES = {
    "lg4": "LG4, as trained",
    "slow": "slower decay",
    "noisy": "noise × 4",
    "heavy": "Student-t noise",
    "switch": "system replaced",
    "coloured": "coloured noise, as trained",
    "rougher": "ρ = 0.99 after 0.9",
}
WIDE = 4
"""Panels in a row."""


def figures(result: Result) -> dict[str, Any]:
    """All figures by file stem."""
    there = [name for name in TITLES if f"{name}.arms" in result.arrays]
    grouped = {name: part(result.arrays, name) for name in there}
    ylabel = "excess over Bayes, mean over positions"
    return {
        "regret_by_shift": regret_by_shift(grouped),
        "regret_by_context": regret_by_context(grouped),
        "training_lg4": by_step(grouped["lg4"], ylabel),
        "training_coloured": by_step(grouped["coloured"], ylabel),
    }


def regret_by_shift(grouped: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Mean squared distance of every arm to either oracle; a bar: between the oracles."""
    rows = [(name, a) for name, own in grouped.items() for a in range(len(own["arms"]))]
    fig, (ax,) = panels.row(7.4, 1.2 + 0.24 * (len(rows) + len(grouped)), grid="x")
    y, ticks = 0.0, []
    for name, own in grouped.items():
        names, start = own["arms"], y
        for a, arm in enumerate(names):
            _pair(
                ax, y, own["excess"][a], own["prior"][a] if own["apart"].any() else None, str(arm)
            )
            y += 1
        if own["apart"].any():
            ax.vlines(own["apart"].mean(), start - 0.45, y - 0.55, color="black", lw=2)
        ticks.append(((start + y - 1) / 2, TITLES[name]))
        ax.axhline(y - 0.1, color="0.9", lw=0.8)
        y += 0.8
    ax.set_yticks(*zip(*ticks, strict=True))
    ax.set(xscale="log", ylim=(y - 0.9, -0.7))
    ax.set_xlabel("mean squared distance of predictions, over all positions")
    ax.tick_params(axis="y", length=0)
    panels.keys(fig, _keys(grouped), place="beside")
    return fig


def _pair(ax: Any, y: float, test: np.ndarray, prior: np.ndarray | None, arm: str) -> None:
    """Filled: to the training oracle; open: to the oracle that knows the shift."""
    colour = look(arm)["color"]
    kinds = [("white", test)] if prior is not None else [(colour, test)]
    for face, values in [*kinds, *([(colour, prior)] if prior is not None else [])]:
        panels.points(ax, [y], values.mean(axis=1)[:, None], along="x", color=colour,
                      markerfacecolor=face, markersize=6, linewidth=1.2)  # fmt: skip


def _keys(grouped: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Line2D]:
    names = dict.fromkeys(str(arm) for own in grouped.values() for arm in own["arms"])
    dot = {"marker": "o", "ls": "", "mec": DARK, "ms": 6}
    return {title(name): Line2D([], [], color=look(name)["color"], lw=3) for name in names} | {
        "to the training oracle": Line2D([], [], mfc=DARK, **dot),
        "to the test oracle": Line2D([], [], mfc="white", **dot),
        "oracles from each other": Line2D([], [], color="black", lw=2),
    }


def regret_by_context(grouped: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Regret to the test oracle by position, a panel a shift; black: the training oracle's own."""
    fig, every = panels.table(11.0, 5.4, -(-len(grouped) // WIDE), WIDE)
    for ax, (name, own) in zip(every.flat, grouped.items(), strict=False):
        context = np.arange(own["excess"].shape[2])
        for arm, excess in zip(own["arms"], own["excess"], strict=True):
            band(ax, context[1:], excess[:, 1:], str(arm))
        if own["apart"].any():
            far = np.maximum(own["apart"][1:], 1e-12)
            ax.plot(
                context[1:], far, color="black", ls=(0, (3, 1)), lw=1.2, label="training oracle"
            )
            usual = np.median(own["apart"][own["apart"] > 0])  # its foot is 0 where oracles agree
            lowest = min(own["excess"][..., 1:].mean() / 100, usual)
            ax.set_ylim(bottom=lowest / 1.5)
        ax.set_title(TITLES[name], fontsize=9)
        ax.set(yscale="log")
        ax.tick_params(which="both", labelsize=8)
    for ax in list(every.flat)[len(grouped) :]:
        ax.axis("off")
    panels.legend(fig, place="beside", last=["training oracle"])
    fig.supxlabel("observations seen", fontsize=9)
    fig.supylabel("regret to the test oracle (mean squared distance)", fontsize=9)
    return fig
