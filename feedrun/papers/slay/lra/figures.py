"""Figures of slay_lra, drawn from a result's arrays alone; and of a sweep over tasks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.lra import paired as lra_paired
from feedrun.papers.slay.style import WORDS, below, look, words
from feedrun.plotting import canvas

TASKS = {
    "listops": "ListOps",
    "text": "Text",
    "retrieval": "Retrieval",
    "image": "Image",
    "pathfinder": "Pathfinder",
}

SMALLEST, LARGEST = 60, 700
"""Areas of bubbles, in square points."""


def one_run(result: Result) -> dict[str, Any]:
    """All figures of one run by file stem."""
    arrays = result.arrays
    figures = {"accuracy": accuracy(arrays), "curves": curves(arrays), "cost": cost(arrays)}
    figures["budget"] = budget(arrays)
    if any(name.startswith("map_") for name in arrays):
        figures["attention"] = attention(arrays)
    return figures


def by_task(results: Sequence[tuple[Any, Result]]) -> dict[str, Any]:
    """A sweep's runs: accuracy by task and mechanism, against its cost, and paired by seed."""
    table = _table(results)
    if len({task for task, _ in table}) < 2:
        return {}
    ours = str(results[0][1].arrays["ours"])
    paired = lra_paired.figure(table, TASKS, ours=ours)
    return {"lra_accuracy": tasks(table), "lra_cost": mean_cost(table), "lra_paired": paired}


def accuracy(arrays) -> Figure:
    """Test accuracy: every seed a dot, their mean a line, the majority class dashed."""
    names, values = _names(arrays), arrays["accuracy"]
    fig = canvas(7, 0.9 + 0.36 * len(names))
    ax = fig.subplots()
    for place, (name, seeds) in enumerate(zip(names, values, strict=True)):
        _seeds(ax, seeds, place, _colour(name))
    ax.axvline(float(arrays["majority"]), color="0.3", linestyle="--", linewidth=1)
    ax.set_yticks(range(len(names)), [words(name) for name in names])
    ax.set(
        ylim=(len(names) - 0.4, -0.6), xlabel="test accuracy (dots: seeds; dashed: majority class)"
    )
    ax.grid(alpha=0.25, axis="x")
    fig.suptitle(f"{_task(arrays)}: the same network, another attention", fontsize=11)
    return fig


def curves(arrays) -> Figure:
    """Training loss and validation accuracy over steps: mean and range of the seeds."""
    fig = canvas(10, 4.6)
    axes = fig.subplots(1, 2)
    titles = {0: "training loss (cross-entropy, nats)", 2: "validation accuracy"}
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for name, rows in zip(_names(arrays), arrays["curves"][:, :, column], strict=True):
            x, style = arrays["steps"], {"color": _colour(name)}
            ax.fill_between(
                x, rows.min(1), rows.max(1), color=style["color"], alpha=0.12, linewidth=0
            )
            ax.plot(x, rows.mean(axis=1), linewidth=1.6, label=words(name), **style)
        ax.set(xlabel="training step", ylabel=title)
        ax.grid(alpha=0.25)
    axes[1].axhline(float(arrays["majority"]), color="0.3", linestyle="--", linewidth=1)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    seeds = arrays["curves"].shape[3]
    fig.suptitle(
        f"{_task(arrays)}: mean and range of {seeds} seeds (dashed: majority class)", fontsize=11
    )
    return fig


def budget(arrays) -> Figure:
    """Validation accuracy against the tokens read and the time it took, of one model.

    Time is steps times the measured time of a step. Rates fall to zero at a curve's end: half a
    curve is not what a training of half the length would reach.
    """
    names, steps = _names(arrays), np.asarray(arrays["steps"])
    seconds = np.asarray(arrays["seconds"])
    fig = canvas(10, 4.6)
    left, right = fig.subplots(1, 2, sharey=True)
    for name, rows, each in zip(names, arrays["curves"][:, :, 2], seconds, strict=True):
        style = look(name) | {"linewidth": 1.5, "markersize": 4, "label": words(name)}
        left.plot(steps * float(arrays["tokens"]) / 1e6, rows.mean(axis=1), **style)
        right.plot(steps * each, rows.mean(axis=1), **style)
    right.axvline(steps[-1] * seconds.min(), color="0.3", linestyle=":", linewidth=1)
    left.set(xlabel="training tokens read, millions", ylabel="validation accuracy, mean of seeds")
    right.set(xlabel="seconds of training (dotted: when the fastest ends)", xscale="log")
    for ax in (left, right):
        ax.axhline(float(arrays["majority"]), color="0.3", linestyle="--", linewidth=1)
        ax.grid(alpha=0.25, which="both")
    below(fig, left, 4)
    fig.suptitle(f"{_task(arrays)}: at equal budgets (dashed: majority class)", fontsize=11)
    return fig


def cost(arrays) -> Figure:
    """Accuracy against the speed of training; the area of a bubble is memory."""
    rows = zip(
        _names(arrays), arrays["speed"], arrays["memory"], arrays["accuracy"].mean(1), strict=True
    )
    fig = canvas(8.5, 5.0)
    ax = fig.subplots()
    _bubbles(ax, [(name, *map(float, row)) for name, *row in rows])
    ax.axhline(float(arrays["majority"]), color="0.3", linestyle="--", linewidth=1)
    ax.set(ylabel="test accuracy (dashed: majority class)")
    fig.suptitle(f"{_task(arrays)}: accuracy, speed, memory (area of a bubble)", fontsize=11)
    return fig


def attention(arrays) -> Figure:
    """Weights of the sharpest head of every layer on one test sequence."""
    names = [name for name in _names(arrays) if f"map_{name}" in arrays]
    maps = [arrays[f"map_{name}"] for name in names]
    fig = canvas(3.1 * len(names) + 0.6, 3.0 * len(maps[0]) + 0.7)
    axes = fig.subplots(len(maps[0]), len(names), squeeze=False, sharex=True, sharey=True)
    for column, (name, layers) in enumerate(zip(names, maps, strict=True)):
        for layer, weights in enumerate(layers):
            ax = axes[layer, column]
            image = ax.imshow(np.sqrt(np.maximum(weights, 0)), cmap="magma", vmin=0, vmax=1)
            ax.set_title(f"{words(name)}, layer {layer + 1}", fontsize=9)
        axes[-1, column].set_xlabel("key position")
    for row in axes:
        row[0].set_ylabel("query position")
    bar = fig.colorbar(image, ax=axes, shrink=0.7, label="attention weight")
    bar.set_ticks(list(np.sqrt([0, 0.05, 0.25, 0.5, 1])), labels=["0", "0.05", "0.25", "0.5", "1"])
    fig.suptitle(
        f"{_task(arrays)}: the sharpest head of each layer, one test sequence", fontsize=11
    )
    return fig


def tasks(table) -> Figure:
    """Accuracy of every mechanism, a panel a task."""
    names, columns = _in_order(table)
    fig = canvas(2.3 * len(columns) + 2.2, 1.0 + 0.34 * len(names))
    axes = fig.subplots(1, len(columns), sharey=True)
    for ax, task in zip(axes, columns, strict=True):
        for place, name in enumerate(names):
            if found := table.get((task, name)):
                _seeds(ax, np.concatenate([f["accuracy"] for f in found]), place, _colour(name))
                ax.axvline(found[0]["majority"], color="0.3", linestyle="--", linewidth=1)
        ax.set(title=TASKS[task], ylim=(len(names) - 0.4, -0.6))
        ax.grid(alpha=0.25, axis="x")
    axes[0].set_yticks(range(len(names)), [words(name) for name in names])
    fig.supxlabel("test accuracy (dots: seeds; dashed: majority class)", fontsize=10)
    return fig


def mean_cost(table) -> Figure:
    """Accuracy over majority against speed, means over the tasks that every mechanism has."""
    names, columns = _in_order(table)
    shared = [task for task in columns if all((task, name) in table for name in names)]
    fig = canvas(7.5, 4.8)
    ax = fig.subplots()
    rows = []
    for name in names:
        runs = [f for task in shared for f in table[task, name]]
        speed = np.exp(np.mean([np.log(f["speed"]) for f in runs])) if runs else 0.0
        over = [f["accuracy"].mean() - f["majority"] for f in runs]
        rows += [(name, speed, np.mean([f["memory"] for f in runs]), np.mean(over))] if runs else []
    _bubbles(ax, rows)
    ax.axhline(0, color="0.3", linestyle="--", linewidth=1)
    ax.set(ylabel="test accuracy above the majority class")
    fig.suptitle(f"Mean of {', '.join(TASKS[t] for t in shared)}; area: memory", fontsize=11)
    return fig


def _table(results) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(task, mechanism) -> what its runs measured."""
    table: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _, result in results:
        a = result.arrays
        for i, name in enumerate(_names(a)):
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


def _bubbles(ax, rows) -> None:
    """(name, speed, megabytes, height): circles whose area grows with memory."""
    most = max(memory for _, _, memory, _ in rows)
    for name, speed, memory, height in rows:
        area = SMALLEST + (LARGEST - SMALLEST) * memory / most
        ax.scatter(speed, height, s=area, color=_colour(name), alpha=0.55, linewidths=0)
        ax.scatter([], [], s=60, color=_colour(name), alpha=0.55, linewidths=0, label=words(name))
    speeds = [speed for _, speed, _, _ in rows]
    ax.set(xscale="log", xlim=(min(speeds) / 1.5, max(speeds) * 1.5))
    ax.set_xlabel(f"tokens per second in training, one model (largest bubble: {most:.0f} MiB)")
    ax.margins(y=0.15)
    ax.grid(alpha=0.25, which="both")
    ax.figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)


def _seeds(ax, values, place: int, colour: str) -> None:
    ax.scatter(values, np.full(len(values), place), s=26, color=colour, alpha=0.55, linewidths=0)
    ax.plot([values.mean()] * 2, [place - 0.28, place + 0.28], color=colour, linewidth=2.2)


def _names(arrays) -> list[str]:
    return [str(name) for name in arrays["names"]]


def _task(arrays) -> str:
    return TASKS[str(arrays["task"])]


def _colour(name: str) -> str:
    return look(name)["color"]
