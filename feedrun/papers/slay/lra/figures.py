"""Figures of slay_lra, drawn from a result's arrays alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.style import TASKS, look, words
from feedrun.plotting import panels
from feedrun.plotting.style import DARK, TITLE, canvas

SMALLEST, LARGEST = 60, 700
"""Areas of bubbles, in square points."""


def figures(result: Result) -> dict[str, Any]:
    """All figures of one run by file stem."""
    arrays = result.arrays
    drawn = {"accuracy": accuracy(arrays), "curves": curves(arrays), "cost": cost(arrays)}
    drawn["budget"] = budget(arrays)
    if any(name.startswith("map_") for name in arrays):
        drawn["attention"] = attention(arrays)
    return drawn


def accuracy(arrays) -> Figure:
    """Test accuracy: every seed a dot, their mean a line, the majority class dashed."""
    names, values = names_of(arrays), arrays["accuracy"]
    fig, (ax,) = panels.row(7, 0.9 + 0.36 * len(names), grid="x")
    for place, (name, seeds) in enumerate(zip(names, values, strict=True)):
        panels.seeds(ax, seeds, place, color=colour(name))
    ax.axvline(float(arrays["majority"]), color=DARK, linestyle="--", linewidth=1)
    ax.set_yticks(range(len(names)), [words(name) for name in names])
    ax.set(
        ylim=(len(names) - 0.4, -0.6), xlabel="test accuracy (dots: seeds; dashed: majority class)"
    )
    fig.suptitle(f"{_task(arrays)}: the same network, another attention", fontsize=TITLE)
    return fig


def curves(arrays) -> Figure:
    """Training loss and validation accuracy over steps: mean and range of the seeds."""
    fig, axes = panels.row(10, 4.6, 2)
    titles = {0: "training loss (cross-entropy, nats)", 2: "validation accuracy"}
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for name, rows in zip(names_of(arrays), arrays["curves"][:, :, column], strict=True):
            ends = rows.min(axis=1), rows.mean(axis=1), rows.max(axis=1)
            style = look(name) | {"markersize": 4, "label": words(name), "fill": 0.12}
            panels.ribbon(ax, arrays["steps"], *ends, **style)
        ax.set(xlabel="training step", ylabel=title)
    axes[1].axhline(float(arrays["majority"]), color=DARK, linestyle="--", linewidth=1)
    panels.legend(fig)
    seeds = arrays["curves"].shape[3]
    fig.suptitle(
        f"{_task(arrays)}: mean and range of {seeds} seeds (dashed: majority class)", fontsize=TITLE
    )
    return fig


def budget(arrays) -> Figure:
    """Validation accuracy against the tokens read and the time it took, of one model.

    Time is steps times the measured time of a step. Rates fall to zero at a curve's end: half a
    curve is not what a training of half the length would reach.
    """
    names, steps = names_of(arrays), np.asarray(arrays["steps"])
    seconds = np.asarray(arrays["seconds"])
    fig, (left, right) = panels.row(10, 4.6, 2, sharey=True)
    for name, rows, each in zip(names, arrays["curves"][:, :, 2], seconds, strict=True):
        style = look(name) | {"linewidth": 1.5, "markersize": 4, "label": words(name)}
        left.plot(steps * float(arrays["tokens"]) / 1e6, rows.mean(axis=1), **style)
        right.plot(steps * each, rows.mean(axis=1), **style)
    right.axvline(steps[-1] * seconds.min(), color=DARK, linestyle=":", linewidth=1)
    left.set(xlabel="training tokens read, millions", ylabel="validation accuracy, mean of seeds")
    right.set(xlabel="seconds of training (dotted: when the fastest ends)", xscale="log")
    for ax in (left, right):
        ax.axhline(float(arrays["majority"]), color=DARK, linestyle="--", linewidth=1)
    panels.legend(fig)
    fig.suptitle(f"{_task(arrays)}: at equal budgets (dashed: majority class)", fontsize=TITLE)
    return fig


def cost(arrays) -> Figure:
    """Accuracy against the speed of training; the area of a bubble is memory."""
    fig, (ax,) = panels.row(8.5, 5.0)
    heights = arrays["accuracy"].mean(axis=1)
    bubbles(ax, names_of(arrays), arrays["speed"], arrays["memory"], heights)
    ax.axhline(float(arrays["majority"]), color=DARK, linestyle="--", linewidth=1)
    ax.set(ylabel="test accuracy (dashed: majority class)")
    fig.suptitle(f"{_task(arrays)}: accuracy, speed, memory (area of a bubble)", fontsize=TITLE)
    return fig


def attention(arrays) -> Figure:
    """Weights of the sharpest head of every layer on one test sequence."""
    names = [name for name in names_of(arrays) if f"map_{name}" in arrays]
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
        f"{_task(arrays)}: the sharpest head of each layer, one test sequence", fontsize=TITLE
    )
    return fig


def bubbles(ax: Any, names: Sequence[str], speeds: Any, memories: Any, heights: Any) -> None:
    """A mark a mechanism, in a circle whose area grows with its memory in MiB."""
    most = max(memories)
    for name, speed, memory, height in zip(names, speeds, memories, heights, strict=True):
        area = SMALLEST + (LARGEST - SMALLEST) * memory / most
        ax.scatter(speed, height, s=area, color=colour(name), alpha=0.4, linewidths=0)
        ax.scatter(speed, height, s=24, label=words(name), **look(name))
    ax.set(xscale="log", xlim=(min(speeds) / 1.5, max(speeds) * 1.5))
    ax.set_xlabel(f"tokens per second in training, one model (largest bubble: {most:.0f} MiB)")
    ax.margins(y=0.15)
    panels.legend(ax.figure)


def names_of(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """The mechanisms of a run, in its order."""
    return [str(name) for name in arrays["names"]]


def _task(arrays) -> str:
    return TASKS[str(arrays["task"])]


def colour(name: str) -> str:
    """That of a mechanism."""
    return look(name)["color"]
