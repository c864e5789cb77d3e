"""Figures of particles_clustering, drawn from a result's arrays alone."""

from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.mean_field import equiangular
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, GREEN, ORANGE, PINK, RED, SKY, canvas

BETA_COLOURS = (BLUE, ORANGE, GREEN, RED, PINK, SKY)
SA_TIME, USA_TIME = "time $t$", "slowed time $e^\\beta t$"
FLOW_TITLES = {
    "sa": "SA (softmax attention)",
    "usa": "USA (unnormalised)",
}


def figures(result: Result) -> dict[str, Any]:
    """All figures of particles_clustering by file stem."""
    arrays = result.arrays
    return {
        "energy_and_order": energy_and_order(arrays),
        "inner_products": inner_products(arrays),
        "snapshots": snapshots(arrays),
        "contraction": contraction(arrays),
        "tokens_on_sphere": tokens_on_sphere(arrays),
    }


def energy_and_order(arrays) -> Figure:
    """Ehat and R over log time, both flows: median and 5-95% of the starts."""
    fig, axes = panels.table(9, 6, 2, 2, sharex="col", sharey="row")
    times = arrays["times"][1:]
    for column, (flow, title) in enumerate(FLOW_TITLES.items()):
        for row, field in enumerate(("energy", "order")):
            ax = axes[row, column]
            for i, beta in enumerate(arrays["betas"]):
                if field == "energy" and beta == 0:
                    continue  # the normalised energy is 1 whatever the tokens do
                ends = np.quantile(arrays[f"{flow}_{field}"][1:, i], [0.05, 0.5, 0.95], axis=1)
                style = {"color": BETA_COLOURS[i], "label": f"$\\beta$ = {beta:g}", "fill": 0.2}
                panels.ribbon(ax, times, *ends, **style)
            ax.set(xscale="log", ylim=(0, 1.05), xlim=(times[0], times[-1]))
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel(SA_TIME if flow == "sa" else USA_TIME)
    axes[0, 0].set_ylabel("normalised energy $\\hat E$")
    axes[1, 0].set_ylabel("order parameter $R = |\\bar x|$")
    panels.legend(fig, [axes[1, 0]], columns=len(arrays["betas"]))
    starts = arrays["sa_energy"].shape[2]
    fig.suptitle(
        f"Energy rises in steps until one cluster is left (median and 5-95% of {starts} starts)"
    )
    return fig


def inner_products(arrays, *, ridges: int = 12) -> Figure:
    """Ridge plot: how <x_i, x_j> is spread at growing times, at the largest beta."""
    fig, axes = panels.row(9, 5.5, 2, grid="x", sharey=True)
    warmest = int(np.argmax(arrays["betas"]))
    times = arrays["times"]
    busy = (arrays["sa_pairs"] + arrays["usa_pairs"])[:, warmest, :-1].any(axis=1)
    last = min(int(busy.sum()), len(times) - 1)  # the first row with every pair at 1
    picked = np.unique(np.linspace(1, last, ridges).astype(int))
    for ax, (flow, title) in zip(axes, FLOW_TITLES.items(), strict=True):
        counts = arrays[f"{flow}_pairs"][:, warmest].astype(float)
        edges = np.linspace(-1, 1, counts.shape[1] + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        for level, k in enumerate(picked):
            share = np.sqrt(counts[k] / counts[k].sum())
            colour = _between(level / len(picked))
            base = len(picked) - 1 - level
            ax.fill_between(
                middles,
                base,
                base + 0.95 * share,
                step="mid",
                color=colour,
                alpha=0.85,
                zorder=level,
            )
            ax.axhline(base, color="0.7", linewidth=0.5, zorder=level)
        ax.set(title=title, xlabel="inner product $\\langle x_i, x_j\\rangle$", xlim=(-1.02, 1.02))
    axes[0].set_yticks(np.arange(len(picked))[::-1], [_moment(times[k]) for k in picked])
    axes[0].set_ylabel("time (USA: $e^\\beta t$), downwards")
    beta = arrays["betas"][warmest]
    fig.suptitle(f"All pairs end at inner product 1 ($\\beta$ = {beta:g}; height: root of share)")
    return fig


def _moment(t: float) -> str:
    """A time with two digits: 0.36, 14, 620, 2000, 10^5 beyond."""
    rounded = float(f"{t:.2g}")
    if rounded >= 1e4:
        digits, power = f"{t:.1e}".split("e+")
        return f"${digits}\\times 10^{{{int(power)}}}$"
    return f"{rounded:g}"


def _between(share: float):
    """Colour from sky blue (early) to vermilion (late)."""
    early, late = (np.array(to_rgb(colour)) for colour in (SKY, RED))
    return tuple((1 - share) * early + share * late)


def snapshots(arrays, *, columns: int = 5) -> Figure:
    """One start on the circle (top) and on S^2 (bottom) at growing times."""
    fig = canvas(11, 5)
    times, circle = arrays["portrait_times"], arrays["circle_path"]
    ball = _facing(arrays["sphere_path"])
    moments = np.array([0.0, 3.0, 10.0, 1e3, times[-1]])[:columns]
    picked = [int(np.argmin(np.abs(times - t))) for t in moments]
    turn = np.linspace(0, 2 * np.pi, 200)
    for column, k in enumerate(picked):
        ax = fig.add_subplot(2, columns, column + 1)
        ax.plot(np.cos(turn), np.sin(turn), color="0.8", linewidth=1, zorder=1)
        ax.scatter(*circle[k].T, s=26, color=BLUE, alpha=0.5, linewidths=0, zorder=2)
        ax.set(
            aspect="equal", title=f"t = {_moment(times[k])}", xlim=(-1.15, 1.15), ylim=(-1.15, 1.15)
        )
        ax.set_axis_off()
        globe = fig.add_subplot(2, columns, columns + column + 1)
        _globe(globe)
        _tokens(globe, ball[k])
    beta = arrays["portrait_beta"]
    fig.suptitle(
        f"{circle.shape[1]} tokens under SA, $\\beta$ = {beta:g}: on the circle (top) and on the "
        "sphere (bottom, pale: far side)"
    )
    return fig


def _globe(ax) -> None:
    """Outline and a few meridians and parallels of the unit sphere, seen from +z of `_turned`."""
    s = np.linspace(0, 2 * np.pi, 120)
    ax.plot(np.cos(s), np.sin(s), color="0.6", linewidth=1)
    for angle in np.deg2rad([0, 30, 60, 90, 120, 150]):
        great = np.stack([np.cos(angle) * np.sin(s), np.sin(angle) * np.sin(s), np.cos(s)], axis=1)
        _wire(ax, great)
    for z in (-0.5, 0.0, 0.5):
        _wire(
            ax, np.stack([*(np.sqrt(1 - z * z) * np.array([np.cos(s), np.sin(s)])), 0 * s + z], 1)
        )
    ax.set(aspect="equal", xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    ax.set_axis_off()


def _wire(ax, line) -> None:
    """The near half of a curve on the sphere."""
    seen = _turned(line)
    x, y = np.where(seen[:, 2:] > 0, seen[:, :2], np.nan).T
    ax.plot(x, y, color="0.88", linewidth=0.7, zorder=0)


def _turned(x):
    """Points in the frame of a viewer above the equator: right, up, towards the viewer."""
    side, tilt = np.deg2rad(35), np.deg2rad(25)
    right = np.array([-np.sin(side), np.cos(side), 0])
    towards = np.array([np.cos(tilt) * np.cos(side), np.cos(tilt) * np.sin(side), np.sin(tilt)])
    return x @ np.stack([right, np.cross(towards, right), towards], axis=1)


def _facing(path):
    """A path as the viewer sees it, turned so that it ends near the middle of the visible half."""
    last = path[-1, 0]
    side = np.deg2rad(35) - np.arctan2(last[1], last[0])
    cos, sin, up = np.cos(side), np.sin(side), 1 if last[2] >= 0 else -1
    return _turned(path @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, up]]))


def _tokens(ax, seen):
    """Two scatters: tokens on the near side in full colour, those behind pale."""
    front = seen[:, 2] >= 0
    ax.scatter(*seen[~front, :2].T, s=16, color=SKY, alpha=0.25, linewidths=0)
    ax.scatter(*seen[front, :2].T, s=26, color=RED, alpha=0.5, linewidths=0, zorder=3)


def contraction(arrays) -> Figure:
    """Log of the largest squared distance against time, with the predicted slope."""
    fig, axes = panels.row(8, 4.5, 2, sharey=True)
    times = arrays["cone_times"]
    for ax, (flow, title) in zip(axes, FLOW_TITLES.items(), strict=True):
        gaps = np.exp(arrays[f"cone_{flow}"])
        ax.plot(times, gaps.T, color=BLUE if flow == "sa" else GREEN, linewidth=0.8, alpha=0.45)
        rate = equiangular.contraction_rate(0.0, norm="sa")
        middle = np.median(arrays[f"cone_{flow}"] + rate * times, axis=0)[len(times) // 2]
        ax.plot(times, np.exp(middle - rate * times), "--", color="black", linewidth=1.5)
        law = "e^{-2t}" if flow == "sa" else "e^{-2e^{\\beta}t}"
        ax.text(0.05, 0.06, f"dashed: predicted ${law}$", transform=ax.transAxes)
        ax.axhspan(1e-10, 1e-3, color="0.93", zorder=0)
        ax.set(yscale="log", ylim=(1e-16, 50), xlim=(0, times[-1]), title=title)
        ax.set_xlabel(SA_TIME if flow == "sa" else USA_TIME)
    axes[0].set_ylabel("$\\max_{ij} |x_i - x_j|^2$")
    fig.suptitle("Hemisphere starts contract at the predicted rate (grey: window of the fit)")
    return fig


def tokens_on_sphere(arrays) -> FuncAnimation:
    """Tokens gathering on S^2, one frame a stored time (even in log time)."""
    fig = Figure(figsize=(3.6, 3.9), dpi=110)
    FigureCanvasAgg(fig)
    ax = fig.add_axes((0.02, 0.0, 0.96, 0.9))
    caption = fig.text(0.5, 0.94, "", ha="center", fontsize=10)
    _globe(ax)
    times, path = arrays["portrait_times"], _facing(arrays["sphere_path"])
    near = ax.scatter([], [], s=22, color=RED, alpha=0.55, linewidths=0, zorder=3)
    far = ax.scatter([], [], s=12, color=SKY, alpha=0.3, linewidths=0, zorder=1)

    def draw(k):
        seen = path[k]
        near.set_offsets(seen[seen[:, 2] >= 0, :2])
        far.set_offsets(seen[seen[:, 2] < 0, :2])
        caption.set_text(f"SA, $\\beta$ = {arrays['portrait_beta']:g}, t = {_moment(times[k])}")
        return near, far

    still = [*range(len(times)), *[len(times) - 1] * 6]
    return FuncAnimation(fig, draw, frames=still, interval=100, blit=False)
