"""What panels are drawn from: bands, points with intervals, seeds, one legend, plain ticks.

Functions take matplotlib's axes first; `style` is passed on to the line (colour, dashes, marker).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from feedrun.maths import stats
from feedrun.plotting.style import SMALL, canvas

FILL, GRID = 0.15, 0.25
"""Opacities of a band and of the grid."""

PLACES = {
    "below": "outside lower center",
    "beside": "outside right upper",
    "above": "outside upper center",
}
"""Where one legend for all panels may stand: never over the data."""


def intervals(
    values: Float[np.ndarray, "R N"],
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """Means over repeats and the ends of their 95% intervals.

    Fewer than stats.MIN_REPEATS have no interval: both ends are the mean.
    """
    mean = values.mean(axis=0)
    if len(values) < stats.MIN_REPEATS:
        return mean, mean, mean
    low, high = np.array([stats.mean_interval(column) for column in values.T]).T
    return mean, low, high


def band(
    ax: Any, x: Any, values: Float[np.ndarray, "R N"], *, positive: bool = False, **style: Any
) -> None:
    """The mean over repeats with its 95% interval.

    positive: on a logarithmic axis; where an interval reaches 0 it is drawn down to the least
    of the repeats instead.
    """
    mean, low, high = intervals(values)
    if positive:
        low = np.where(low > 0, low, np.minimum(values.min(axis=0), mean))
    ribbon(ax, x, low, mean, high, **style)


def ribbon(ax: Any, x: Any, low: Any, middle: Any, high: Any, *, fill: float = FILL, **style: Any):
    """A line in a band: for quantiles, or the range of seeds."""
    (line,) = ax.plot(x, middle, **{"linewidth": 1.6} | _spelled(style))
    ax.fill_between(x, low, high, color=line.get_color(), alpha=fill, linewidth=0)


def points(
    ax: Any,
    at: Any,
    values: Float[np.ndarray, "R N"],
    *,
    along: Literal["x", "y"] = "y",
    **style: Any,
) -> None:
    """Means over repeats with bars for their 95% intervals; `at`: places on the other axis.

    Not connected unless `style` says so.
    """
    mean, low, high = intervals(values)
    bars = np.maximum(np.stack([mean - low, high - mean]), 0)  # rounding may leave -1e-17
    options = {"linestyle": "none", "marker": "o", "markersize": 5} | _spelled(style)
    if along == "y":
        ax.errorbar(at, mean, yerr=bars, **options)
    else:
        ax.errorbar(mean, at, xerr=bars, **options)


def seeds(
    ax: Any,
    values: Float[np.ndarray, "R"],
    height: float | int,
    *,
    color: Any,
    marker: str = "o",
    markerfacecolor: Any = None,
) -> None:
    """A mark a seed along x, and an upright bar at their mean."""
    face = color if markerfacecolor is None else markerfacecolor
    y, edge = np.full(len(values), height), 0 if face == color else 1
    ax.scatter(values, y, s=26, marker=marker, facecolors=face, edgecolors=color, alpha=0.55,
               linewidths=edge)  # fmt: skip
    ax.plot([values.mean()] * 2, [height - 0.28, height + 0.28], color=color, linewidth=2.2)


def row(
    width: float | int,
    height: float | int,
    columns: int = 1,
    *,
    grid: Literal["both", "x", "y"] = "both",
    **shared: Any,
) -> tuple[Figure, list[Any]]:
    """A figure in inches with so many axes side by side, with a light grid along `grid`."""
    fig, axes = table(width, height, 1, columns, grid=grid, **shared)
    return fig, list(axes[0])


def table(
    width: float | int,
    height: float | int,
    rows: int,
    columns: int,
    *,
    grid: Literal["both", "x", "y"] = "both",
    **shared: Any,
) -> tuple[Figure, np.ndarray]:
    """The same with axes (rows, columns)."""
    fig = canvas(width, height)
    axes = fig.subplots(rows, columns, squeeze=False, **shared)
    for ax in axes.flat:
        ax.grid(alpha=GRID, axis=grid)
    return fig, axes


def legend(
    fig: Figure,
    axes: Iterable[Any] | None = None,
    *,
    place: Literal["below", "beside", "above"] = "below",
    columns: int | None = None,
    size: float = SMALL,
    last: Iterable[str] = (),
) -> None:
    """One legend for these axes (all where None), each label once, outside of the panels.

    last: labels that come after the others, references say. Without `columns`: one beside the
    panels, four above or below them, fewer where the figure is narrow.
    """
    found: dict[str, Any] = {}
    for ax in fig.axes if axes is None else axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    ends = set(last)
    keys(fig, dict(sorted(found.items(), key=lambda entry: entry[0] in ends)),
         place=place, columns=columns, size=size)  # fmt: skip


def keys(
    fig: Figure,
    entries: Mapping[str, Any],
    *,
    place: Literal["below", "beside", "above"] = "below",
    columns: int | None = None,
    size: float = SMALL,
) -> None:
    """The same for handles by label that were made for the purpose; no legend of none."""
    usual = 1 if place == "beside" else min(4, max(1, int(fig.get_figwidth() // 1.9)))
    where = {"loc": PLACES[place], "ncols": columns or usual, "frameon": False, "fontsize": size}
    if entries:
        fig.legend(list(entries.values()), list(entries), **where)


def plain(axis: Any) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 times powers of ten, as plain numbers."""
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("{x:g}")


def _spelled(style: dict[str, Any]) -> dict[str, Any]:
    """Matplotlib's short names written out, so that a default and its override are one."""
    long = {"lw": "linewidth", "ls": "linestyle", "ms": "markersize", "c": "color"}
    return {long.get(name, name): value for name, value in style.items()}
