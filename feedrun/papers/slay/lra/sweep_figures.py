"""A sweep of slay_lra over tasks: accuracy, its cost, and differences paired by seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.lra import paired
from feedrun.papers.slay.lra.figures import bubbles, colour, names_of
from feedrun.papers.slay.lra.paired import Table
from feedrun.papers.slay.style import TASKS, WORDS, words
from feedrun.plotting import panels
from feedrun.plotting.style import DARK, TITLE


def sweep_figures(results: Sequence[tuple[Any, Result]]) -> dict[str, Any]:
    """A sweep's runs: accuracy by task and mechanism, against its cost, and paired by seed."""
    table = _table(results)
    if len({task for task, _ in table}) < 2:
        return {}
    ours = str(results[0][1].arrays["ours"])
    differences = paired.figure(table, TASKS, ours=ours)
    return {"lra_accuracy": tasks(table), "lra_cost": mean_cost(table), "lra_paired": differences}


def tasks(table: Table) -> Figure:
    """Accuracy of every mechanism, a panel a task."""
    names, columns = _in_order(table)
    size = 2.3 * len(columns) + 2.2, 1.0 + 0.34 * len(names)
    fig, axes = panels.row(*size, len(columns), grid="x", sharey=True)
    for ax, task in zip(axes, columns, strict=True):
        for place, name in enumerate(names):
            if found := table.get((task, name)):
                seeds = np.concatenate([f["accuracy"] for f in found])
                panels.seeds(ax, seeds, place, color=colour(name))
                ax.axvline(found[0]["majority"], color=DARK, linestyle="--", linewidth=1)
        ax.set(title=TASKS[task], ylim=(len(names) - 0.4, -0.6))
    axes[0].set_yticks(range(len(names)), [words(name) for name in names])
    fig.supxlabel("test accuracy (dots: seeds; dashed: majority class)", fontsize=10)
    return fig


def mean_cost(table: Table) -> Figure:
    """Accuracy over majority against speed, means over the tasks that every mechanism has."""
    names, columns = _in_order(table)
    shared = [task for task in columns if all((task, name) in table for name in names)]
    fig, (ax,) = panels.row(7.5, 4.8)
    runs = {name: [run for task in shared for run in table[task, name]] for name in names}
    measured = [own for own in runs.values() if own]
    speeds = [np.exp(np.mean([np.log(run["speed"]) for run in own])) for own in measured]
    memories = [np.mean([run["memory"] for run in own]) for own in measured]
    over = [np.mean([run["accuracy"].mean() - run["majority"] for run in own]) for own in measured]
    bubbles(ax, [name for name, own in runs.items() if own], speeds, memories, over)
    ax.axhline(0, color=DARK, linestyle="--", linewidth=1)
    ax.set(ylabel="test accuracy above the majority class")
    fig.suptitle(f"Mean of {', '.join(TASKS[t] for t in shared)}; area: memory", fontsize=TITLE)
    return fig


def _table(results) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(task, mechanism) -> what its runs measured."""
    table: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _, result in results:
        a = result.arrays
        for i, name in enumerate(names_of(a)):
            found = {key: a[key][i] for key in ("accuracy", "speed", "memory")}
            found["majority"] = float(a["majority"])
            table.setdefault((str(a["task"]), name), []).append(found)
    return table


def _in_order(table) -> tuple[list[str], list[str]]:
    """Mechanisms as WORDS lists them, then others; tasks as the benchmark lists them."""
    names = {name for _, name in table}
    known = [name for name in WORDS if name in names]
    columns = [task for task in TASKS if any(t == task for t, _ in table)]
    return known + sorted(names - set(known)), columns
