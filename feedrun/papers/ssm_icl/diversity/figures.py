"""Figures of icl_diversity, drawn from its arrays alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.maths import stats
from feedrun.papers.ssm_icl.arms import figures
from feedrun.papers.ssm_icl.diversity import distances
from feedrun.papers.ssm_icl.diversity.distances import Distances
from feedrun.plotting import BLUE, ORANGE, canvas

TITLES = {"library": "on the tasks of training", "new": "on new tasks"}
ORACLE_LOOKS = {
    "mixture": ("to the mixture of K filters", BLUE),
    "prior": ("to the full prior's", ORANGE),
}
GREY = "0.45"


def all_figures(result: Result) -> dict[str, Any]:
    """All figures of icl_diversity by file stem."""
    arrays = result.arrays
    return {
        "distance_by_tasks": distance_by_tasks(arrays),
        "distance_by_context": distance_by_context(arrays),
        "training": training(arrays),
    }


def distance_by_tasks(arrays: Mapping[str, np.ndarray]) -> Figure:
    """Distance to both oracles against K, a row an arm; band: K at which the nearer one changes."""
    arms, tasks = [str(name) for name in arrays["arms"]], arrays["tasks"]
    found = arrays["found"].mean(axis=-1)  # (A, K, R, 4)
    fig = canvas(8.4, 1.1 + 2.7 * len(arms))
    grid = fig.subplots(len(arms), 2, sharex=True, sharey=True, squeeze=False)
    for row, arm, own in zip(grid, arms, found, strict=True):
        for ax, (place, title) in zip(row, TITLES.items(), strict=True):
            for oracle, (words, colour) in ORACLE_LOOKS.items():
                values = own[..., Distances._fields.index(f"{place}_{oracle}")]
                _band(ax, tasks, values, colour, words)
            ax.set(xscale="log", yscale="log", title=f"{figures.title(arm)}, {title}")
            ax.set_xticks(tasks, [str(k) for k in tasks])
            ax.minorticks_off()
            ax.grid(alpha=0.25)
        _band(row[1], tasks, arrays["between"].mean(axis=-1), GREY, "between the two oracles", ":")
        _crossing(row[1], tasks, own)
        row[0].set_ylabel("distance (mean squared)")
    for ax in grid[-1]:
        ax.set_xlabel("systems in training, K")
    handles, labels = grid[0][1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return fig


def _band(ax: Any, x: Any, values: np.ndarray, colour: Any, label: str, style: str = "-") -> None:
    """Mean over repeats (N, R) with its 95% interval; where that reaches 0, down to the least."""
    mean = values.mean(axis=1)
    ax.plot(x, mean, style, color=colour, marker="o", ms=3, lw=1.6, label=label)
    if values.shape[1] >= stats.MIN_REPEATS:
        low, high = np.array([stats.mean_interval(row) for row in values]).T
        low = np.where(low > 0, low, np.minimum(values.min(axis=1), mean))
        ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


def _crossing(ax: Any, tasks: np.ndarray, own: np.ndarray) -> None:
    """The crossover of every repeat as a line, where it lies within the K measured."""
    lead = distances.lead(own)
    at = [distances.crossover(tasks, column) for column in lead.T]
    for number, log_k in enumerate(log_k for log_k in at if np.isfinite(log_k)):
        label = "crossover, a library each" if number == 0 else None
        ax.axvline(2**log_k, color="0.2", lw=0.9, ls="--", label=label)


def distance_by_context(arrays: Mapping[str, np.ndarray]) -> Figure:
    """On new tasks, excess over the full prior's oracle by context: network and mixture, by K."""
    arms, tasks = [str(name) for name in arrays["arms"]], arrays["tasks"]
    at = Distances._fields.index("new_prior")
    fig = canvas(1.2 + 4.2 * len(arms), 4.2)
    axes = fig.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    seen = np.arange(1, arrays["found"].shape[-1])
    for ax, arm, found in zip(axes, arms, arrays["found"], strict=True):
        for k, own, line, colour in zip(
            tasks, found, arrays["between"], _shades(tasks), strict=True
        ):
            ax.plot(seen, own[:, at].mean(axis=0)[1:], color=colour, lw=1.7, label=f"K = {k}")
            ax.plot(seen, line.mean(axis=0)[1:], ":", color=colour, lw=1.3)
        ax.set(xscale="log", yscale="log", xlabel="observations seen")
        figures.plain(ax.xaxis)
        ax.set_title(figures.title(arm), fontsize=10)
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("new tasks: excess over the full prior's oracle")
    axes[0].plot([], [], ":", color="0.3", label="the mixture of K filters itself")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return fig


def training(arrays: Mapping[str, np.ndarray]) -> Figure:
    """Held-out sequences of the library: excess over its mixture by training step, by K."""
    arms, tasks = [str(name) for name in arrays["arms"]], arrays["tasks"]
    fig = canvas(1.2 + 4.2 * len(arms), 3.8)
    axes = fig.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    for ax, arm, valid in zip(axes, arms, arrays["valid"], strict=True):
        for k, own, colour in zip(tasks, valid, _shades(tasks), strict=True):
            ax.plot(arrays["steps"], own.mean(axis=0), color=colour, lw=1.7, label=f"K = {k}")
        ax.set(xscale="log", yscale="log", xlabel="training steps")
        figures.plain(ax.xaxis)
        ax.set_title(figures.title(arm), fontsize=10)
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("tasks of training: excess over the mixture")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return fig


def _shades(tasks: np.ndarray) -> np.ndarray:
    """Light to dark, a colour for each K."""
    return colormaps["viridis_r"](np.linspace(0.15, 1, len(tasks)))
