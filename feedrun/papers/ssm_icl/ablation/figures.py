"""Figures of icl_ablation: the gap matrix and its effects, of one run or of several."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from feedrun.experiment import Result, estimate
from feedrun.papers.ssm_icl.ablation import contrasts
from feedrun.papers.ssm_icl.arms import figures as shared
from feedrun.papers.ssm_icl.style import FAMILIES, LAGS, title
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, DARK, GREEN, ORANGE, canvas

LINES = {
    "lg4": {"bayes": "Bayes (bank)", "ar4": LAGS["ar4"]},
    "coloured_lag": {"arx_ridge": "ridge on lags", "ridge": "ridge"},
    "coloured_shift": {"arx_ridge": "ridge on lags", "ridge": "ridge"},
}
"""References that are drawn beside the arms, in words."""

OVER = {"lg4": "genie", "coloured_lag": "Bayes", "coloured_shift": "Bayes"}
COLUMNS = ("without", "with")
ROWS = ("s_none", "s_fixed", "s4d", "ssd", "mamba1", "gru", "lstm",
        "linear", "linear_elu", "softmax")  # fmt: skip
"""Mixers from the top of the matrix."""

COLOURS = (BLUE, ORANGE, GREEN)


class Matrix(NamedTuple):
    """One family's gap matrix.

    cells: arm -> excess (R,) after `last` observations, paired over seeds; lines: reference ->
    its excess there.
    """

    family: str
    last: int
    cells: Mapping[str, np.ndarray]
    lines: Mapping[str, float]


def figures(result: Result) -> dict[str, Any]:
    """All figures of one run by file stem."""
    arrays = result.arrays
    found, family = matrix([result]), str(arrays["family"])
    over = f"excess over the {OVER[family]}".replace("the Bayes", "Bayes")
    drawn = {
        "gap_matrix": gap_matrix([found]),
        "excess_by_step": shared.by_step(arrays, f"{over}, mean over positions"),
        "excess_by_context": shared.by_context(arrays, LINES[family], over),
    }
    return drawn | ({"effects": effects([found])} if measured(found) else {})


def matrix(runs: Sequence[Result]) -> Matrix:
    """The cells of runs of one family; seeds of one arm in the order of their eval sets."""
    arrays = [result.arrays for result in sorted(runs, key=lambda r: float(r.arrays["mark"]))]
    family, last = str(arrays[0]["family"]), int(arrays[0]["last"])
    cells: dict[str, list[np.ndarray]] = {}
    for own in arrays:
        for name, excess in zip(own["arms"], own["excess"], strict=True):
            cells.setdefault(str(name), []).append(excess[:, last])
    lines = {
        name: float(np.mean([own[f"line_{name}"][last] for own in arrays]))
        for name in LINES[family]
    }
    return Matrix(family, last, {k: np.concatenate(v) for k, v in cells.items()}, lines)


def gap_matrix(matrices: Sequence[Matrix]) -> Figure:
    """Excess of every transition without and with the convolution: mean and half interval."""
    rows = list(dict.fromkeys(_row(name) for one in matrices for name in one.cells))
    rows.sort(key=lambda name: ROWS.index(name.split("+")[0]))
    fig = canvas(1.6 + 2.5 * len(matrices), 1.5 + 0.5 * len(rows))
    axes = fig.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    for ax, one in zip(axes, matrices, strict=True):
        _heat(ax, one, rows)
    axes[0].set_yticks(range(len(rows)), [title(name) for name in rows])
    fig.suptitle("Excess (mean, ± half the 95% interval over seeds)", fontsize=10)
    fig.supxlabel("short convolution", fontsize=9)
    return fig


def _heat(ax: Any, one: Matrix, rows: Sequence[str]) -> None:
    """One family's panel; a cell that was not run is left grey."""
    means = np.full((len(rows), 2), np.nan)
    for name, values in one.cells.items():
        means[rows.index(_row(name)), _convolved(name)] = values.mean()
    norm = LogNorm(np.nanmin(means) / 1.1, np.nanmax(means) * 1.1)
    ax.set_facecolor("0.85")
    ax.imshow(means, cmap="cividis_r", norm=norm, aspect="auto")
    for name, values in one.cells.items():
        place = rows.index(_row(name)), _convolved(name)
        ink = "white" if norm(means[place]) > 0.5 else "black"
        ax.text(*place[::-1], _cell(values), ha="center", va="center", color=ink, fontsize=8)
    lines = "\n".join(f"{LINES[one.family][k]}: {v:.3f}" for k, v in one.lines.items())
    ax.set_title(f"{FAMILIES[one.family]}, {one.last} seen\n{lines}", fontsize=8)
    ax.set_xticks(range(2), COLUMNS)
    ax.tick_params(length=0, labelsize=8)


def _cell(values: np.ndarray) -> str:
    mean, low, high, _ = estimate(values.tolist())
    return f"{mean:.3f}" + ("" if low is None or high is None else f" ± {(high - low) / 2:.3f}")


def _row(name: str) -> str:
    """The arm's name without the convolution."""
    return "+".join(word for word in name.split("+") if word != "conv")


def _convolved(name: str) -> int:
    return int("conv" in name.split("+"))


def measured(one: Matrix) -> list[str]:
    """The contrasts that the cells allow, in the order of WORDS."""
    found = contrasts.effects(one.cells)
    return [metric for metric in contrasts.WORDS if metric in found]


def effects(matrices: Sequence[Matrix]) -> Figure:
    """How much every ingredient lowers the excess: dots are seeds, bars 95% intervals."""
    names = [m for m in contrasts.WORDS if any(m in measured(one) for one in matrices)]
    height = 1.3 + (0.25 + 0.17 * len(matrices)) * len(names)
    fig, (ax,) = panels.row(6.8, height, grid="x")
    for shift, one in enumerate(matrices):
        found = contrasts.effects(one.cells)
        for place, metric in enumerate(names):
            if metric in found:
                y = place + 0.22 * (shift - (len(matrices) - 1) / 2)
                _bar(ax, found[metric], y, COLOURS[shift])
        ax.plot([], [], "o-", color=COLOURS[shift], label=FAMILIES[one.family])
    ax.axvline(0, color=DARK, lw=1)
    ax.set_yticks(range(len(names)), [contrasts.WORDS[name] for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(f"excess taken away after {matrices[0].last} observations (right: it helps)")
    if len(matrices) > 1:
        panels.legend(fig, columns=3)
    else:
        ax.set_title(FAMILIES[matrices[0].family], fontsize=10)
    return fig


def _bar(ax: Any, values: Sequence[float], y: float, colour: str) -> None:
    """Seeds as dots, their mean as a stroke, the 95% interval as a bar."""
    ax.plot(values, [y] * len(values), "o", color=colour, ms=3, alpha=0.5)
    seeds = np.array(values)[:, None]
    panels.points(ax, [y], seeds, along="x", color=colour, marker="|", markersize=11,
                  markeredgewidth=2, elinewidth=2)  # fmt: skip
