"""Figures of slay_lm, drawn from a result's arrays alone."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.style import look, words
from feedrun.plotting import canvas

ABOVE = 0.4
"""Nats above the bigram at which learning curves are cut off: they differ below."""


def figures(result: Result) -> dict[str, Any]:
    """All figures of slay_lm by file stem."""
    return {"losses": losses(result.arrays), "learning": learning(result.arrays)}


def losses(arrays) -> Figure:
    """Test loss of every seed, best mechanism on top, with the bigram as a line."""
    labels, found = arrays["mechanisms"].tolist(), arrays["loss"]
    fig = canvas(7, 1.4 + 0.36 * len(labels))
    ax = fig.subplots()
    order = np.argsort(-found.mean(axis=1))
    for row, j in enumerate(order):
        ax.scatter(found[j], np.full(found.shape[1], row), s=22, **look(labels[j]))
        mean = found[j].mean()
        ax.plot([mean, mean], [row - 0.3, row + 0.3], color="black", linewidth=1.2)
    ax.axvline(arrays["controls"][1], color="0.5", linestyle="--", label="bigram frequencies")
    ax.set_yticks(np.arange(len(labels)), [words(labels[j]) for j in order])
    ax.set(
        xlabel="test loss in nats a byte (dots: seeds, bars: means)", ylim=(-0.6, len(labels) - 0.4)
    )
    ax.grid(axis="x", alpha=0.25)
    fig.legend(loc="outside lower right", frameon=False, fontsize=8)
    fig.suptitle(f"Equal bytes, equal budgets, tuned rates, {found.shape[1]} seeds", fontsize=11)
    return fig


def learning(arrays) -> Figure:
    """Training loss over bytes read: mean and range of the seeds."""
    labels, curves = arrays["mechanisms"].tolist(), arrays["curves"]
    fig = canvas(7, 4.6)
    ax = fig.subplots()
    read = np.arange(1, curves.shape[1] + 1) * float(arrays["bytes_a_row"]) / 1e6
    for j, label in enumerate(labels):
        style, colour = look(label), look(label)["color"]
        low, high = curves[j].min(axis=1), curves[j].max(axis=1)
        ax.fill_between(read, low, high, alpha=0.2, linewidth=0, color=colour)
        ax.plot(read, curves[j].mean(axis=1), label=words(label), markersize=3, **style)
    ax.axhline(arrays["controls"][1], color="0.5", linestyle="--", label="bigram frequencies")
    ax.set(xlabel="bytes read in training (millions)", ylabel="training loss in nats a byte")
    lowest_top = float(np.nanmax(curves[:, -1]))
    ax.set_ylim(top=min(ax.get_ylim()[1], max(float(arrays["controls"][1]) + ABOVE, lowest_top)))
    ax.grid(alpha=0.25)
    fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    fig.suptitle("Learning to predict the next byte (band: range of the seeds)", fontsize=11)
    return fig
