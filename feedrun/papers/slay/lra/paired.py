"""Differences of accuracy, paired by seed: whose, and over a sweep's tasks with their average."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from feedrun.experiment import estimate
from feedrun.experiment.metrics import gaps
from feedrun.papers.slay.style import look, words
from feedrun.plotting import panels
from feedrun.plotting.style import DARK

MARGIN = 0.02
"""Two points of accuracy: what "as good as" means here."""

PAIRS = (
    ("slay", "softmax"),
    ("slay", "yat"),
    ("slay", "favor_relu"),
    ("slay", "favor"),
    ("slay", "cosformer"),
    ("slay", "uniform"),
    ("square", "slay"),
    ("ours", "slay"),
    ("ours", "softmax"),
    ("uniform", "softmax"),
    ("ssd", "softmax"),
)
"""Whose accuracies are subtracted; "ours" is the config's."""

AVERAGE = "average"

Table = Mapping[tuple[str, str], list[dict[str, Any]]]
"""(task, mechanism) -> what its runs measured."""

Differences = dict[tuple[str, str], dict[str, np.ndarray]]
"""(first, second) -> task -> accuracy of the first less that of the second, seed by seed."""


def differences(table: Table, *, ours: str) -> Differences:
    """Those of PAIRS, by task; AVERAGE is over the tasks that softmax learned, where all have both.

    A seed of one task says nothing of the same seed of another; what scatters is their mean.
    """
    pairs = [(ours if a == "ours" else a, b) for a, b in PAIRS]
    accuracies: dict[str, dict[str, np.ndarray]] = {}
    for task, name in table:
        accuracies.setdefault(task, {})[name] = _seeds(table, task, name)
    by_task = {task: gaps(seeds, pairs) for task, seeds in accuracies.items()}
    found: Differences = {}
    for pair in dict.fromkeys(pairs):
        own = {task: of_pairs[pair] for task, of_pairs in by_task.items() if pair in of_pairs}
        if own:
            counted = [own[task] for task in own if softmax_learned(table, task)]
            average = {AVERAGE: np.mean(counted, axis=0)} if len(counted) > 1 else {}
            found[pair] = own | average
    return found


def learned(accuracy: np.ndarray, majority: float) -> bool:
    """Are the seeds' accuracies above the majority class, by their interval where there is one?"""
    value, low, _, _ = estimate((accuracy - majority).tolist())
    return (value if low is None else low) > 0


def softmax_learned(table: Table, task: str) -> bool:
    """Does softmax attention beat the majority class there?"""
    runs = table.get((task, "softmax"))
    return bool(runs) and learned(_seeds(table, task, "softmax"), runs[0]["majority"])


def figure(table: Table, titles: Mapping[str, str], *, ours: str) -> Figure:
    """A panel a task and one for their average, a row a pair: mean and 95% interval over seeds."""
    found = differences(table, ours=ours)
    shown = [task for task in [*titles, AVERAGE] if any(task in own for own in found.values())]
    unlearned = [titles[t] for t in shown if t != AVERAGE and not softmax_learned(table, t)]
    named = {**titles, AVERAGE: "average" + " without " * bool(unlearned) + ", ".join(unlearned)}
    rows = -(-len(shown) // 3)
    size = 11, 0.8 + rows * (0.6 + 0.27 * len(found))
    fig, axes = panels.table(*size, rows, min(len(shown), 3), grid="x", sharey=True)
    for ax, task in zip(axes.flat, shown, strict=False):
        _panel(ax, {pair: own[task] for pair, own in found.items() if task in own}, list(found))
        ax.set_title(named[task], fontsize=10)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    if shown[-1] == AVERAGE:
        _numbers(axes.flat[len(shown) - 1], [own.get(AVERAGE) for own in found.values()])
    axes[0, 0].set_yticks(range(len(found)), [f"{words(a)} - {words(b)}" for a, b in found])
    axes[0, 0].set_ylim(len(found) - 0.4, -0.6)
    label = f"difference of test accuracy (95% over seeds; grey: {100 * MARGIN:.0f} points)"
    fig.supxlabel(label, fontsize=10)
    return fig


def _panel(ax, own: Mapping[tuple[str, str], np.ndarray], order: Iterable) -> None:
    ax.axvspan(-MARGIN, MARGIN, color="0.92", linewidth=0)
    ax.axvline(0, color=DARK, linestyle="--", linewidth=1)
    for place, pair in enumerate(order):
        if pair in own:
            style = look(pair[0]) | {"linewidth": 1.6}
            panels.points(ax, [place], own[pair][:, None], along="x", **style)
    ax.xaxis.set_major_locator(MaxNLocator(4))


def _numbers(ax, values: Iterable[np.ndarray | None]) -> None:
    """Means and intervals in words, to the right of the panel."""
    shown = {place: estimate(v.tolist()) for place, v in enumerate(values) if v is not None}
    right = ax.secondary_yaxis("right")
    right.set_yticks(list(shown), [_number(*found[:3]) for found in shown.values()])
    right.tick_params(length=0, labelsize=8)


def _number(value: float, low: float | None, high: float | None) -> str:
    return f"{value:+.3f}" + ("" if low is None else f" [{low:+.3f}, {high:+.3f}]")


def _seeds(table: Table, task: str, name: str) -> np.ndarray:
    return np.concatenate([run["accuracy"] for run in table[task, name]])
