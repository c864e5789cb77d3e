"""Figures of icl_diversity, drawn from its arrays alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.diversity import distances
from feedrun.papers.ssm_icl.diversity.distances import Distances
from feedrun.papers.ssm_icl.style import title
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, DARK, GREY, ORANGE

TITLES = {"library": "on the tasks of training", "new": "on new tasks"}
ORACLE_LOOKS = {
    "mixture": ("to the mixture of K filters", BLUE),
    "prior": ("to the full prior's", ORANGE),
}


def figures(result: Result) -> dict[str, Any]:
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
    size = 8.4, 1.1 + 2.7 * len(arms)
    fig, grid = panels.table(*size, len(arms), 2, sharex=True, sharey=True)
    for row, arm, own in zip(grid, arms, found, strict=True):
        for ax, (place, tested) in zip(row, TITLES.items(), strict=True):
            for oracle, (words, colour) in ORACLE_LOOKS.items():
                values = own[..., Distances._fields.index(f"{place}_{oracle}")]
                _by_tasks(ax, tasks, values, color=colour, label=words)
            ax.set(xscale="log", yscale="log", title=f"{title(arm)}, {tested}")
            ax.set_xticks(tasks, [str(k) for k in tasks])
            ax.minorticks_off()
        style = {"color": GREY, "linestyle": ":", "label": "between the two oracles"}
        _by_tasks(row[1], tasks, arrays["between"].mean(axis=-1), **style)
        _crossing(row[1], tasks, own)
        row[0].set_ylabel("distance (mean squared)")
    for ax in grid[-1]:
        ax.set_xlabel("systems in training, K")
    panels.legend(fig, columns=4)
    return fig


def _by_tasks(ax: Any, tasks: np.ndarray, values: np.ndarray, **style: Any) -> None:
    """A line of dots in its 95% interval for values (K, R)."""
    panels.band(ax, tasks, values.T, positive=True, marker="o", markersize=3, **style)


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
    fig, axes = panels.row(1.2 + 4.2 * len(arms), 4.2, len(arms), sharey=True)
    seen = np.arange(1, arrays["found"].shape[-1])
    for ax, arm, found in zip(axes, arms, arrays["found"], strict=True):
        for k, own, line, colour in zip(
            tasks, found, arrays["between"], _shades(tasks), strict=True
        ):
            ax.plot(seen, own[:, at].mean(axis=0)[1:], color=colour, lw=1.7, label=f"K = {k}")
            ax.plot(seen, line.mean(axis=0)[1:], ":", color=colour, lw=1.3)
        ax.set(xscale="log", yscale="log", xlabel="observations seen")
        panels.plain(ax.xaxis)
        ax.set_title(title(arm), fontsize=10)
    axes[0].set_ylabel("new tasks: excess over the full prior's oracle")
    axes[0].plot([], [], ":", color=DARK, label="the mixture of K filters itself")
    panels.legend(fig, columns=6)
    return fig


def training(arrays: Mapping[str, np.ndarray]) -> Figure:
    """Held-out sequences of the library: excess over its mixture by training step, by K."""
    arms, tasks = [str(name) for name in arrays["arms"]], arrays["tasks"]
    fig, axes = panels.row(1.2 + 4.2 * len(arms), 3.8, len(arms), sharey=True)
    for ax, arm, valid in zip(axes, arms, arrays["valid"], strict=True):
        for k, own, colour in zip(tasks, valid, _shades(tasks), strict=True):
            ax.plot(arrays["steps"], own.mean(axis=0), color=colour, lw=1.7, label=f"K = {k}")
        ax.set(xscale="log", yscale="log", xlabel="training steps")
        panels.plain(ax.xaxis)
        ax.set_title(title(arm), fontsize=10)
    axes[0].set_ylabel("tasks of training: excess over the mixture")
    panels.legend(fig, columns=6)
    return fig


def _shades(tasks: np.ndarray) -> np.ndarray:
    """Light to dark, a colour for each K."""
    return colormaps["viridis_r"](np.linspace(0.15, 1, len(tasks)))
