"""Figures of slay_synthetic, drawn from a result's arrays alone."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.style import look, title
from feedrun.plotting import panels
from feedrun.plotting.style import GREY, PALE, TITLE


def figures(result: Result) -> dict[str, Any]:
    """All figures of slay_synthetic by file stem."""
    drawn = {"suite": suite(result.arrays)}
    if "harder_accuracy" in result.arrays:
        drawn["harder"] = harder(result.arrays)
    return drawn


def suite(arrays) -> Figure:
    """A row a task: every seed of every mechanism, with the guess and the ceiling as lines."""
    tasks, labels = arrays["suite_tasks"].tolist(), arrays["suite_mechanisms"].tolist()
    right, levels = arrays["suite_accuracy"], arrays["suite_levels"]
    fig, (ax,) = panels.row(8.5, 1.5 + 0.42 * len(tasks), grid="x")
    shifts = np.linspace(-0.3, 0.3, len(labels))
    for i in range(len(tasks)):
        row = len(tasks) - 1 - i
        ax.axhspan(row - 0.45, row + 0.45, color="0.96", linewidth=0, zorder=0)
        for line, style in ((levels[i, 0], ":"), (levels[i, 1], "-")):
            if np.isfinite(line):
                ax.plot([line, line], [row - 0.45, row + 0.45], style, color=GREY, zorder=1)
        for j, shift in enumerate(shifts[::-1]):
            shown: dict[str, Any] = {**look(labels[j]), "zorder": 3}
            name = title(labels[j]) if i == 0 else None
            y = np.full(right.shape[2], row + shift)
            ax.scatter(right[i, j], y, s=20, alpha=0.75, linewidths=0, label=name, **shown)
    ax.plot([], [], ":", color=GREY, label="most frequent target")
    ax.plot([], [], "-", color=GREY, label="most a causal model can reach")
    ax.set_yticks(np.arange(len(tasks))[::-1], [name.replace("_", " ") for name in tasks])
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(tasks) - 0.4), xlabel="test accuracy")
    panels.legend(fig, columns=3)
    fig.suptitle(f"The paper's synthetic tasks, {right.shape[2]} seeds", fontsize=TITLE)
    return fig


PER = {"pairs": (3, "pairs to recall"), "duplicate": (2, "tokens to copy")}
"""Tokens of a sequence for each of what is asked, and what that is."""


def harder(arrays) -> Figure:
    """Accuracy against length, a panel a task: means and ranges of the seeds."""
    tasks, labels = arrays["harder_tasks"].tolist(), arrays["harder_mechanisms"].tolist()
    fig, axes = panels.row(max(6.5, 3.3 * len(tasks)), 4.4, len(tasks), sharey=True)
    for i, (ax, name) in enumerate(zip(axes, tasks, strict=True)):
        _against_length(ax, arrays["harder_lengths"], arrays["harder_accuracy"][i], labels)
        ax.axhline(arrays["harder_chance"][i], color=GREY, linestyle=":", label="guessing")
        each, what = PER.get(name, (1, "tokens in all"))
        ticks = [f"{length // each}" for length in arrays["harder_lengths"]]
        ax.set_xticks(arrays["harder_lengths"], ticks)
        ax.set(ylim=(-0.03, 1.03), title=TITLES[name], xlabel=f"{what} (line: as trained)")
    axes[0].set_ylabel("test accuracy")
    panels.legend(fig, columns=3)
    seeds = arrays["harder_accuracy"].shape[3]
    fig.suptitle(
        f"Recall beyond the trained length (bands: range of {seeds} seeds)", fontsize=TITLE
    )
    return fig


TITLES = {"pairs": "many pairs", "needle": "eight needles", "duplicate": "a copy"}


def _against_length(ax, lengths, right, labels) -> None:
    """A line and a band for each mechanism's (lengths, seeds)."""
    for label, found in zip(labels, right, strict=True):
        ends = found.min(axis=1), found.mean(axis=1), found.max(axis=1)
        panels.ribbon(ax, lengths, *ends, label=title(label), markersize=5, **look(label))
    ax.axvline(lengths[0], color=PALE, linewidth=0.8, zorder=0)
    ax.set_xscale("log", base=2)
    ax.minorticks_off()
