"""Figures of icl_markov: divergence by context, beyond the training length, and by step."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.arms.figures import band, part
from feedrun.plotting import panels
from feedrun.plotting.style import PALE

TITLES = {
    "mc3": "3 symbols, random chains",
    "one_layer": "3 symbols, one layer",
    "mc8": "8 symbols, random chains",
    "mc27": "27 symbols, random chains",
    "switching": "8 symbols, switching chain",
}
LINES = {
    "bayes": ("Bayes", "-"),
    "bigram": ("bigram counts", (0, (1, 1))),
    "unigram": ("unigram counts", (0, (4, 2))),
}
"""References in words; on random chains Bayes is the bigram counts."""


def figures(result: Result) -> dict[str, Any]:
    """KL to the truth and to Bayes against symbols seen, and KL to Bayes against steps."""
    parts = [name for name in TITLES if f"{name}.arms" in result.arrays]
    grouped = {name: part(result.arrays, name) for name in parts}
    length = int(result.arrays["length"])
    return {
        "kl_to_truth": _panels(grouped, _truth, "KL to the truth (nats)", length),
        "kl_to_bayes": _panels(grouped, _bayes, "KL to Bayes (nats)", length),
        "kl_by_step": _panels(grouped, _steps, "KL to Bayes (nats), mean over positions", None),
    }


def _panels(
    grouped: Mapping[str, Mapping[str, np.ndarray]], draw: Any, ylabel: str, length: int | None
) -> Figure:
    """A panel a chain, one legend beside them; a grey line where training's contexts end."""
    fig, every = panels.row(2.9 * len(grouped) + 1.9, 3.5, len(grouped))
    for ax, (name, own) in zip(every, grouped.items(), strict=True):
        draw(ax, own)
        ax.set_title(TITLES[name], fontsize=9)
        ax.set(xscale="log", yscale="log")
        ax.tick_params(which="both", labelsize=8)
        if length is None:
            panels.plain(ax.xaxis)
        else:
            ax.axvline(length, color=PALE, lw=0.8)
    panels.legend(fig, place="beside", last=[words for words, _ in LINES.values()])
    every[0].set_ylabel(ylabel)
    fig.supxlabel("training steps" if length is None else "symbols seen", fontsize=9)
    return fig


def _truth(ax: Any, own: Mapping[str, np.ndarray]) -> None:
    """Arms and references by symbols seen, over the truth."""
    _curves(ax, own, "truth", "truth")


def _bayes(ax: Any, own: Mapping[str, np.ndarray]) -> None:
    """Arms and references by symbols seen, over Bayes."""
    _curves(ax, own, "excess", "line")


def _steps(ax: Any, own: Mapping[str, np.ndarray]) -> None:
    """Arms by training step."""
    for name, valid in zip(own["arms"], own["valid"], strict=True):
        band(ax, own["steps"], valid.T, str(name))


def _curves(ax: Any, own: Mapping[str, np.ndarray], arms: str, references: str) -> None:
    """Arms from the array `arms`, references from those that are there as "<references>_<name>"."""
    for name, values in zip(own["arms"], own[arms], strict=True):
        band(ax, *smooth(values), str(name))
    for name, (words, dash) in LINES.items():
        if (line := own.get(f"{references}_{name}")) is not None:
            ax.plot(*smooth(line), color="black", ls=dash, lw=1, label=words)


def smooth(values: np.ndarray, *, cells: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Means over about `cells` log-spaced windows of the last axis, and the windows' mean n.

    Index n is after n symbols; the first, before any symbol, is left out.
    """
    length = values.shape[-1]
    edges = np.unique(np.round(np.geomspace(1, length, cells + 1)).astype(int))
    windows = list(itertools.pairwise(edges))
    means = np.stack([values[..., a:b].mean(axis=-1) for a, b in windows], axis=-1)
    return np.array([(a + b - 1) / 2 for a, b in windows]), means
