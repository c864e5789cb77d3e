"""The phase diagram of a sweep: which pairs have met, over time and temperature."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.mean_field.phase import model as models
from feedrun.papers.mean_field.phase.figures import TITLES, time_label
from feedrun.papers.mean_field.phase.flow import MET
from feedrun.plotting.style import canvas

COLUMNS = 300
"""Moments across a map."""

Runs = Sequence[tuple[Any, Result]]


def sweep_figures(results: Runs) -> dict[str, Figure]:
    """One map for each scheme with two temperatures or more; seeds are averaged.

    `results` are (config, result) of the finished runs. Where other settings differ as well
    (tokens, say), every combination has a map of its own, numbered.
    """
    groups: dict[str, list[tuple[Any, Result]]] = {}
    for cfg, result in results:
        rest = cfg.model_dump(mode="json", exclude={"beta", "dimension"})
        groups.setdefault(repr(rest), []).append((cfg, result))
    drawn: dict[str, Figure] = {}
    for runs in groups.values():
        if len({cfg.beta for cfg, _ in runs}) > 1:
            stem = f"phase_map_{runs[0][0].scheme}"
            same = sum(name.startswith(stem) for name in drawn)
            drawn[stem + (f"_{same + 1}" if same else "")] = phase_map(runs)
    return drawn


def phase_map(runs: Runs) -> Figure:
    """Heat map of the share of pairs that met, time by beta, a panel for each dimension.

    The curve is the model's: the largest beta at which it has collapsed at that time.
    """
    cfg = runs[0][0]
    dimensions = sorted({own.dimension for own, _ in runs})
    fig = canvas(1.2 + 3.2 * len(dimensions), 3.9)
    axes = fig.subplots(1, len(dimensions), sharey=True, squeeze=False)[0]
    last = max(float(result.arrays["own_times"][-1]) for _, result in runs)
    times = np.geomspace(1.0, last, COLUMNS)
    every = np.array(sorted({own.beta for own, _ in runs}))
    first, last_step = np.diff(every)[[0, -1]] / 2
    curve = np.linspace(max(every[0] - first, 0.0), every[-1] + last_step, 41)
    crossing = [_crossing(cfg, beta) for beta in curve]
    meshes = []
    for ax, dimension in zip(axes, dimensions, strict=True):
        mine = [(own.beta, result) for own, result in runs if own.dimension == dimension]
        betas = sorted({beta for beta, _ in mine})
        shares = np.stack([_share(mine, beta, times) for beta in betas])
        how = {"cmap": "RdBu_r", "vmin": 0, "vmax": 1, "rasterized": True}
        meshes.append(ax.pcolormesh(times, betas, shares, shading="nearest", **how))
        ax.plot(crossing, curve, color="white", linewidth=3.5)
        ax.plot(crossing, curve, color="black", linewidth=1.8)
        ax.set_facecolor("0.85")  # beyond the end of a run
        ax.set(xscale="log", title=f"$d$ = {dimension}", xlabel=time_label(cfg.scheme))
        ax.set(yticks=betas if len(betas) < 12 else ax.get_yticks(), xlim=(times[0], times[-1]))
        ax.xaxis.label.set_size(9)
    axes[0].set_ylabel("inverse temperature $\\beta$")
    fig.colorbar(meshes[-1], ax=axes, label="pairs with $\\langle x_i, x_j\\rangle > 0.999$")
    fig.suptitle(
        f"{TITLES[cfg.scheme]}, $n$ = {cfg.tokens}: where random tokens have met; "
        "curve: the model; grey: not waited for"
    )
    return fig


def _crossing(cfg: Any, beta: float) -> float:
    how = {"scheme": cfg.scheme, "radius": cfg.radius, "switch": cfg.switch}
    return models.solve(beta, n=cfg.tokens, **how).time_to(MET)


def _share(mine: list[tuple[float, Result]], beta: float, times: np.ndarray) -> np.ndarray:
    """Share of pairs that met at `times`, averaged over the runs at this temperature.

    Where a run ended before all had met, what came later is not known (NaN).
    """
    curves = []
    for own, result in mine:
        if own == beta:
            u, met = result.arrays["own_times"], result.arrays["pairs_met"].mean(axis=0)
            curves.append(np.interp(times, u, met, right=1.0 if met[-1] == 1 else np.nan))
    return np.mean(curves, axis=0)
