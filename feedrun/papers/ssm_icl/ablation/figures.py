"""Figures of icl_ablation: the gap matrix and its effects, of one run or of a sweep's."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from feedrun.experiment import Result, estimate
from feedrun.papers.ssm_icl.ablation import contrasts
from feedrun.papers.ssm_icl.arms import figures as trained_figures
from feedrun.plotting import BLUE, GREEN, ORANGE, canvas

FAMILIES = {
    "lg4": "LG4",
    "coloured_lag": "coloured noise, lags given",
    "coloured_shift": "coloured noise, lags not given",
}
LINES = {
    "lg4": {"bayes": "Bayes (bank)", "ar4": "ridge on 4 lags"},
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


def one_run(result: Result) -> dict[str, Any]:
    """All figures of one run by file stem."""
    arrays = result.arrays
    found, family = matrix([result]), str(arrays["family"])
    over = f"excess over the {OVER[family]}".replace("the Bayes", "Bayes")
    figures = {
        "gap_matrix": gap_matrix([found]),
        "excess_by_step": trained_figures.by_step(arrays, f"{over}, mean over positions"),
        "excess_by_context": trained_figures.by_context(arrays, LINES[family], over),
    }
    return figures | ({"effects": effects([found])} if _measured(found) else {})


def by_family(results: Sequence[tuple[Any, Result]]) -> dict[str, Any]:
    """A sweep's runs, a panel a family; where other settings differ as well, numbered figures."""
    groups: dict[str, dict[str, list[Result]]] = {}
    for cfg, result in results:
        rest = cfg.model_dump(mode="json", exclude={"family", "arms"})
        groups.setdefault(repr(rest), {}).setdefault(cfg.family, []).append(result)
    figures: dict[str, Any] = {}
    for number, group in enumerate(groups.values(), start=1):
        matrices = [matrix(group[family]) for family in FAMILIES if family in group]
        suffix = f"_{number}" if len(groups) > 1 else ""
        figures[f"gap_matrix{suffix}"] = gap_matrix(matrices)
        if whole := [one for one in matrices if _measured(one)]:
            figures[f"effects{suffix}"] = effects(whole)
    return figures


def matrix(runs: Sequence[Result]) -> Matrix:
    """The cells of runs of one family; seeds of one arm are put in the order of their exams."""
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
    axes[0].set_yticks(range(len(rows)), [trained_figures.title(name) for name in rows])
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


def _measured(one: Matrix) -> list[str]:
    found = contrasts.effects(one.cells)
    return [metric for metric in contrasts.WORDS if metric in found]


def effects(matrices: Sequence[Matrix]) -> Figure:
    """How much every ingredient lowers the excess: dots are seeds, bars 95% intervals."""
    names = [m for m in contrasts.WORDS if any(m in _measured(one) for one in matrices)]
    fig = canvas(6.8, 1.3 + (0.25 + 0.17 * len(matrices)) * len(names))
    ax = fig.subplots()
    for shift, one in enumerate(matrices):
        found = contrasts.effects(one.cells)
        for place, metric in enumerate(names):
            if metric in found:
                y = place + 0.22 * (shift - (len(matrices) - 1) / 2)
                _bar(ax, found[metric], y, COLOURS[shift])
        ax.plot([], [], "o-", color=COLOURS[shift], label=FAMILIES[one.family])
    ax.axvline(0, color="0.3", lw=1)
    ax.set_yticks(range(len(names)), [contrasts.WORDS[name] for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(alpha=0.25, axis="x")
    ax.set_xlabel(f"excess taken away after {matrices[0].last} observations (right: it helps)")
    if len(matrices) > 1:
        fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    else:
        ax.set_title(FAMILIES[matrices[0].family], fontsize=10)
    return fig


def _bar(ax: Any, values: Sequence[float], y: float, colour: str) -> None:
    mean, low, high, _ = estimate(list(values))
    ax.plot(values, [y] * len(values), "o", color=colour, ms=3, alpha=0.5)
    ax.plot([mean], [y], "|", color=colour, ms=11, mew=2)
    if low is not None and high is not None:
        ax.plot([low, high], [y, y], color=colour, lw=2)
