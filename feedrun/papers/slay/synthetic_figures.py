"""Figures of slay_synthetic, drawn from a result's arrays alone."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.figures import look, title
from feedrun.plotting import canvas


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
    fig = canvas(8.5, 1.5 + 0.42 * len(tasks))
    ax = fig.subplots()
    shifts = np.linspace(-0.3, 0.3, len(labels))
    for i in range(len(tasks)):
        row = len(tasks) - 1 - i
        ax.axhspan(row - 0.45, row + 0.45, color="0.96", linewidth=0, zorder=0)
        for line, style in ((levels[i, 0], ":"), (levels[i, 1], "-")):
            if np.isfinite(line):
                ax.plot([line, line], [row - 0.45, row + 0.45], style, color="0.45", zorder=1)
        for j, shift in enumerate(shifts[::-1]):
            shown: dict[str, Any] = {**look(labels[j]), "zorder": 3}
            name = title(labels[j]) if i == 0 else None
            y = np.full(right.shape[2], row + shift)
            ax.scatter(right[i, j], y, s=12, alpha=0.6, linewidths=0, label=name, **shown)
    ax.plot([], [], ":", color="0.45", label="most frequent target")
    ax.plot([], [], "-", color="0.45", label="most a causal model can reach")
    ax.set_yticks(np.arange(len(tasks))[::-1], [name.replace("_", " ") for name in tasks])
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(tasks) - 0.4), xlabel="test accuracy")
    ax.grid(axis="x", alpha=0.25)
    fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    fig.suptitle(f"The paper's synthetic tasks, {right.shape[2]} seeds", fontsize=11)
    return fig


def harder(arrays) -> Figure:
    """Accuracy against length, a panel a task; the trained length is marked."""
    tasks, labels = arrays["harder_tasks"].tolist(), arrays["harder_mechanisms"].tolist()
    lengths, right = arrays["harder_lengths"], arrays["harder_accuracy"]
    fig = canvas(max(7, 3.4 * len(tasks)), 4.6)
    axes = fig.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for i, (ax, name) in enumerate(zip(axes, tasks, strict=True)):
        for j, label in enumerate(labels):
            shifted = lengths * 1.02 ** (j - len(labels) / 2)
            mean = right[i, j].mean(axis=1)
            ax.plot(shifted, mean, label=title(label), markersize=5, **look(label))
            for seed in right[i, j].T:
                ax.plot(shifted, seed, "o", color=look(label)["color"], markersize=2.5, alpha=0.5)
        ax.axvline(lengths[0], color="0.6", linewidth=0.8, zorder=0)
        per = {"pairs": (3, "pairs"), "duplicate": (2, "tokens to copy")}.get(name, (1, "tokens"))
        ticks = [f"{length // per[0]}" for length in lengths]
        ax.set_xscale("log", base=2)
        ax.set_xticks(lengths, ticks)
        ax.minorticks_off()
        ax.set(ylim=(-0.03, 1.03), title=name, xlabel=f"{per[1]} (line: as trained)")
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("test accuracy")
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    fig.suptitle(f"Recall beyond the trained length, {right.shape[3]} seeds", fontsize=11)
    return fig
