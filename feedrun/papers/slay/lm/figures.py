"""Figures of slay_lm, drawn from a result's arrays alone."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.style import look, words
from feedrun.plotting import panels
from feedrun.plotting.style import GREY, TITLE

ABOVE = 0.4
"""Nats above the bigram at which learning curves are cut off: they differ below."""


def figures(result: Result) -> dict[str, Any]:
    """All figures of slay_lm by file stem."""
    return {"losses": losses(result.arrays), "learning": learning(result.arrays)}


def losses(arrays) -> Figure:
    """Test loss of every seed, best mechanism on top, with the bigram as a line."""
    labels, found = arrays["mechanisms"].tolist(), arrays["loss"]
    fig, (ax,) = panels.row(7, 1.4 + 0.36 * len(labels), grid="x")
    order = np.argsort(-found.mean(axis=1))
    for row, j in enumerate(order):
        panels.seeds(ax, found[j], row, **look(labels[j]))
    ax.axvline(arrays["controls"][1], color=GREY, linestyle="--", label="bigram frequencies")
    ax.set_yticks(np.arange(len(labels)), [words(labels[j]) for j in order])
    ax.set(
        xlabel="test loss in nats a byte (dots: seeds, bars: means)", ylim=(-0.6, len(labels) - 0.4)
    )
    panels.legend(fig)
    fig.suptitle(f"Equal bytes, equal budgets, tuned rates, {found.shape[1]} seeds", fontsize=TITLE)
    return fig


def learning(arrays) -> Figure:
    """Training loss over bytes read: mean and range of the seeds."""
    labels, curves = arrays["mechanisms"].tolist(), arrays["curves"]
    fig, (ax,) = panels.row(7, 4.6)
    read = np.arange(1, curves.shape[1] + 1) * float(arrays["bytes_a_row"]) / 1e6
    for j, label in enumerate(labels):
        ends = curves[j].min(axis=1), curves[j].mean(axis=1), curves[j].max(axis=1)
        panels.ribbon(ax, read, *ends, label=words(label), markersize=3, **look(label))
    ax.axhline(arrays["controls"][1], color=GREY, linestyle="--", label="bigram frequencies")
    ax.set(xlabel="bytes read in training (millions)", ylabel="training loss in nats a byte")
    lowest_top = float(np.nanmax(curves[:, -1]))
    ax.set_ylim(top=min(ax.get_ylim()[1], max(float(arrays["controls"][1]) + ABOVE, lowest_top)))
    panels.legend(fig, columns=3)
    fig.suptitle("Learning to predict the next byte (band: range of the seeds)", fontsize=TITLE)
    return fig
