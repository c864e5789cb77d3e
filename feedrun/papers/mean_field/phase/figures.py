"""Figures of one run of particles_phase, drawn from its arrays alone."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.mean_field.phase import schemes
from feedrun.papers.mean_field.phase.schemes import Name
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, ORANGE, PALE, TITLE

TITLES: dict[Name, str] = {
    "post_ln": "Post-LN",
    "pre_ln": "Pre-LN",
    "mix_ln": "Mix-LN",
    "peri_ln": "Peri-LN",
    "ngpt": "nGPT",
    "sqrt": "sqrt scaling",
    "ln_scaling": "LN scaling",
}

ENDS = {
    "exponential": "e^{-2t}",
    "root": "e^{-4\\sqrt{t}}",
    "square": "t^{-2}",
    "inverse": "t^{-1}",
}

FLOOR = 1e-12
"""Where the axis of gaps ends."""


def figures(result: Result) -> dict[str, Any]:
    """All figures of particles_phase by file stem."""
    return {"collapse": collapse(result.arrays), "approach": approach(result.arrays)}


def time_label(scheme: Name) -> str:
    """What the own time of a scheme is, as an axis label."""
    if scheme == "mix_ln":
        return "own time $u$ ($t$ up to the switch, then its logarithm)"
    return {
        "exponential": "depth $t$",
        "root": "own time $u = 2\\sqrt{1+t}-2$ of depth $t$",
        "square": "own time $u = \\ln(1+t)$ of depth $t$",
        "inverse": "own time $u = \\ln(1+t)/2$ of depth $t$",
    }[schemes.SCHEMES[scheme].law]


def collapse(arrays) -> Figure:
    """Share of pairs that met over time, when half of them met, and the predicted moment."""
    predicted, crossed = float(arrays["predicted"]), np.sort(arrays["crossed_at"])
    late = crossed[int(0.9 * len(crossed))]
    end = 1.6 * max(predicted, late) + 1 if np.isfinite(late) else np.inf
    fig, ax = _frame(arrays, end)
    u, share = arrays["own_times"], arrays["pairs_met"]
    low, high = np.quantile(share, [0.1, 0.9], axis=0)
    name = "mean of random starts, and 10-90%"
    panels.ribbon(ax, u, low, share.mean(axis=0), high, color=BLUE, label=name, fill=0.2)
    step = [0, predicted, predicted, u[-1]]
    ax.plot(step, [0, 0, 1, 1], "--", color="black", label="equiangular model")
    ax.axhline(0.5, color=PALE, linewidth=0.8, zorder=0)
    if np.isfinite(late):
        band = [crossed[int(0.1 * len(crossed))], late]
        ax.plot(band, [0.5, 0.5], color=ORANGE, linewidth=5, label="half met: 10-90%")
    ax.set(ylim=(-0.02, 1.02), ylabel="pairs with $\\langle x_i, x_j\\rangle > 0.999$")
    _finish(fig, arrays, "Random tokens against the collapse of the model")
    return fig


def approach(arrays) -> Figure:
    """Mean 1 - <x_i, x_j> over the time in which its end is a line, and the model's."""
    u, gap = arrays["own_times"], arrays["mean_gap"]
    low, middle, high = np.quantile(np.maximum(gap, 1e-30), [0.05, 0.5, 0.95], axis=0)
    fig, ax = _frame(arrays, float([*u[high < FLOOR], u[-1]][0]))
    name = "median of random starts, and 5-95%"
    panels.ribbon(ax, u, low, middle, high, color=BLUE, label=name, fill=0.2)
    ax.plot(u, arrays["model_gap"], "--", color="black", label="equiangular model")
    ax.axhspan(1e-10, 1e-6, color="0.93", zorder=0, label="window of the fit")
    ax.set(yscale="log", ylim=(FLOOR, 3), ylabel="mean of $1-\\langle x_i, x_j\\rangle$")
    law = ENDS[schemes.SCHEMES[_scheme(arrays)].law]
    _finish(fig, arrays, f"The end is a line: $1-\\rho \\sim {law}$")
    return fig


def _scheme(arrays) -> Any:
    """The scheme's name, out of an array of one string."""
    return str(arrays["scheme"])


def _frame(arrays, end: float):
    """An axis over the scheme's own time, with the depth above where it is another quantity."""
    fig, (ax,) = panels.row(7, 4.6)
    scheme, end = _scheme(arrays), min(end, float(arrays["own_times"][-1]))
    ax.set(xlim=(0, end), xlabel=time_label(scheme))
    if schemes.SCHEMES[scheme].law != "exponential":
        _depth_axis(ax, end, scheme, switch=float(arrays["switch"]))
    return fig, ax


def _depth_axis(ax, end: float, scheme: Name, *, switch: float, ticks: int = 7) -> None:
    """Powers of ten of the depth t along the upper edge."""
    u = np.linspace(0, end, 4000)[1:]
    tens = schemes.log_depth(u, switch, scheme=scheme) / np.log(10)
    powers = np.arange(0, tens[-1])
    powers = powers[:: max(1, int(np.ceil(len(powers) / ticks)))]
    upper = ax.secondary_xaxis("top")
    upper.set_xticks(np.interp(powers, tens, u), [f"$10^{{{int(p)}}}$" for p in powers])
    upper.set_xlabel("depth $t$")


def _finish(fig: Figure, arrays, title: str) -> None:
    scheme, starts = TITLES[_scheme(arrays)], arrays["pairs_met"].shape[0]
    sizes = f"$n$ = {arrays['tokens']}, $d$ = {arrays['dimension']}, $\\beta$ = {arrays['beta']:g}"
    fig.suptitle(f"{title}\n{scheme}, {sizes}, {starts} starts", fontsize=TITLE)
    panels.legend(fig)
