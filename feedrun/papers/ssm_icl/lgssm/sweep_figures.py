"""A sweep of icl_lgssm over arms and families in one figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.style import FAMILIES, LAGS, open_without_conv, title
from feedrun.plotting import panels

LINES = {"bayes": ("Bayes", "-"), "ar4": (LAGS["ar4"], ":")}
"""References in words, and their dashes."""


def sweep_figures(results: Sequence[tuple[Any, Result]]) -> dict[str, Any]:
    """Excess of every arm over its seeds and runs, a panel a family; none for a single arm."""
    table: dict[str, dict[str, list[float]]] = {}
    lines: dict[str, dict[str, list[float]]] = {}
    for cfg, result in results:
        family = FAMILIES[cfg.family].format(tasks=cfg.tasks)
        for name in cfg.arms:
            seeds = _numbers(result, f"{name}/excess")
            table.setdefault(family, {}).setdefault(name, []).extend(seeds)
        for word in LINES:
            levels = _numbers(result, f"{word}_excess")
            lines.setdefault(family, {}).setdefault(word, []).extend(levels)
    if len({name for own in table.values() for name in own}) < 2:
        return {}
    return {"arms_by_family": arms_by_family(table, lines)}


def _numbers(result: Result, metric: str) -> list[float]:
    """What a run found, one number or one a seed."""
    return np.atleast_1d(np.asarray(result.summary[metric], float)).tolist()


def arms_by_family(
    table: dict[str, dict[str, list[float]]], lines: dict[str, dict[str, list[float]]]
) -> Figure:
    """Seeds as dots, their mean as a bar, Bayes and ridge as lines; arms in order of appearance."""
    names = list(dict.fromkeys(name for own in table.values() for name in own))
    size = 2.2 + 2.9 * len(table), 1.4 + 0.34 * len(names)
    fig, every = panels.row(*size, len(table), grid="x", sharey=True)
    for axes, (family, own) in zip(every, table.items(), strict=True):
        for place, name in enumerate(names):
            _seeds(axes, own.get(name, []), place, name)
        for word, (label, dots) in LINES.items():
            axes.axvline(np.mean(lines[family][word]), color="k", lw=1, ls=dots, label=label)
        axes.set(title=family, xscale="log", xlabel="excess over the genie,\nmean over positions")
        panels.plain(axes.xaxis)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_minor_locator(NullLocator())
    every[0].set_yticks(range(len(names)), [title(name) for name in names])
    every[0].set_ylim(len(names) - 0.4, -0.6)
    panels.legend(fig)
    return fig


def _seeds(axes: Any, seeds: list[float], place: int, name: str) -> None:
    if seeds:
        panels.seeds(axes, np.array(seeds), place, **open_without_conv(name))
