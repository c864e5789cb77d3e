"""A sweep of icl_lgssm over arms and families in one figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.arms import figures as shared
from feedrun.plotting import canvas

TITLES = {"lg4": "LG4", "lg1": "LG1", "lg4_finite": "LG4, {tasks} frozen systems"}


def by_family(results: Sequence[tuple[Any, Result]]) -> dict[str, Any]:
    """Excess of every arm over its seeds and runs, a panel a family; none for a single arm."""
    table: dict[str, dict[str, list[float]]] = {}
    lines: dict[str, dict[str, list[float]]] = {}
    for cfg, result in results:
        title = TITLES[cfg.family].format(tasks=cfg.tasks)
        for name in cfg.arms:
            seeds = _numbers(result, f"{name}/excess")
            table.setdefault(title, {}).setdefault(name, []).extend(seeds)
        for word in ("bayes", "ar4"):
            levels = _numbers(result, f"{word}_excess")
            lines.setdefault(title, {}).setdefault(word, []).extend(levels)
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
    fig = canvas(2.2 + 2.9 * len(table), 1.4 + 0.34 * len(names))
    panels = fig.subplots(1, len(table), squeeze=False, sharey=True)[0]
    for axes, (title, own) in zip(panels, table.items(), strict=True):
        for place, name in enumerate(names):
            _seeds(axes, own.get(name, []), place, name)
        for word, (label, dots) in {
            "bayes": ("Bayes", "-"),
            "ar4": ("ridge on 4 lags", ":"),
        }.items():
            axes.axvline(np.mean(lines[title][word]), color="k", lw=1, ls=dots, label=label)
        axes.set(title=title, xscale="log", xlabel="excess over the genie,\nmean over positions")
        axes.grid(alpha=0.25, axis="x")
        shared.plain(axes.xaxis)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_minor_locator(NullLocator())
    panels[0].set_yticks(range(len(names)), [shared.title(name) for name in names])
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return fig


def _seeds(axes: Any, seeds: list[float], place: int, name: str) -> None:
    style = shared.look(name)
    face = style["color"] if style["linestyle"] == "-" else "w"
    axes.plot(seeds, [place] * len(seeds), "o", color=style["color"], mfc=face, ms=4, alpha=0.7)
    if seeds:
        axes.plot([np.mean(seeds)] * 2, [place - 0.3, place + 0.3], color=style["color"], lw=2)
