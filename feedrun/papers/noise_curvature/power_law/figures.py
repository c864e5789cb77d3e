"""Figures of the noise-curvature experiments, from summary and arrays alone."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from feedrun.experiment import Result
from feedrun.papers.noise_curvature.exponents import ALIVE
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, GREEN, GREY, PINK, RED, SMALL, canvas


class Matrix(NamedTuple):
    """How one of the two matrices that are set against H is looked up and drawn."""

    array: str
    exponent: str
    label: str
    unit: str
    colour: str


MATRICES = (
    Matrix("C", "gamma_emp", "C", "loss² / weight²", BLUE),
    Matrix("E2", "gamma_e2", "E[h²]", "loss² / weight⁴", RED),
)
FILLED_OPEN = (
    ("in-sample", "interval_in_sample", ""),
    ("cross-fit", "interval_crossfit", "_crossfit"),
)


def figures(result: Result) -> Mapping[str, Figure]:
    """The law, the alignment, the exponents with intervals, the dependence on sample number."""
    return {
        "law": law(result),
        "alignment": alignment(result),
        "exponents": exponents(result),
        "samples": samples(result),
    }


def law(result: Result) -> Figure:
    """C_ii and E[h^2]_ii against H_ii for one network: in-sample, and cross-fit a decade lower."""
    fig, axes = panels.row(9, 4.6, 2)
    a, window = result.arrays, int(result.arrays["window"])
    for i, (ax, m) in enumerate(zip(axes, MATRICES, strict=True)):
        H, A = (np.asarray(a[f"{name}_diag"])[0] for name in ("H", m.array))
        _dots(ax, H[window:], A[window:], floor=ALIVE * H[0], color=m.colour, alpha=0.15)
        both = (
            (FILLED_OPEN[0], H[:window], A[:window], m.colour),
            (FILLED_OPEN[1], a["H_crossfit_diag"][0], a[f"{m.array}_crossfit_diag"][0] / 10, GREEN),
        )
        for (how, interval, suffix), x, y, colour in both:
            x = np.where(x > ALIVE * x.max(), x, 0)  # what the fit leaves out is not drawn either
            _dots(ax, x, y, floor=0.0, color=colour)
            gamma = _repeats(result, f"{m.exponent}{suffix}")[0]
            low, high = a[interval][0, i]
            name = f"{how}: γ = {gamma:.3f}  [{low:.3f}, {high:.3f}]"
            _line(ax, x, y, gamma, (low, high), color=colour, label=name)
        H = np.where(ALIVE * H[0] < H, H, 0)
        _line(ax, H[:window], A[:window], 1.0, color="black", ls="--", label="slope 1")
        _line(ax, H[:window], A[:window], 2.0, color="black", ls=":", label="slope 2")
        ax.set(xscale="log", yscale="log", xlabel="curvature $H_{ii}$ (loss / weight²)")
        ax.set_ylabel(f"{m.label}$_{{ii}}$ ({m.unit}); cross-fit: divided by 10")
        ax.set_title(f"{m.label} against H, network 1", fontsize=10)
        ax.legend(loc="upper left", fontsize=SMALL, frameon=False)
    return fig


def alignment(result: Result) -> Figure:
    """C in the eigenbasis of H, raw and normalised, beside a random basis."""
    fig = canvas(9.5, 3.3)
    raw, own, random = fig.subplots(1, 3)
    K = result.arrays["heat_C"][0]
    top = float(np.abs(K).max())
    norm = SymLogNorm(linthresh=top * 1e-5, vmin=-top, vmax=top)
    shown = raw.imshow(K, cmap="RdBu_r", norm=norm, interpolation="nearest")
    ticks = [-top, -top / 1e3, 0, top / 1e3, top]
    bar = fig.colorbar(shown, ax=raw, shrink=0.8, ticks=ticks, format="%.0e")
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=7)
    raw.set_title("C in the eigenbasis of H (loss² / weight²)", fontsize=9)
    for ax, name, basis in (
        (own, "heat_C", "eigenbasis of H"),
        (random, "heat_C_random", "random basis"),
    ):
        R = _coherence(result.arrays[name][0])
        shown = ax.imshow(R, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        off = np.abs(R[~np.eye(len(R), dtype=bool)]).mean()
        ax.set_title(f"R of C, {basis}: mean |R| {off:.3f}", fontsize=9)
    fig.colorbar(shown, ax=random, shrink=0.8, ticks=[-1, 0, 1]).ax.tick_params(labelsize=7)
    for ax in (raw, own, random):
        ax.set_xlabel("direction, stiffest first", fontsize=8)
        ax.tick_params(labelsize=7)
    return fig


def exponents(result: Result) -> Figure:
    """Both exponents of every network with bootstrap intervals, in-sample and cross-fit."""
    fig, (ax,) = panels.row(7.5, 4.2, grid="x")
    repeats = len(_repeats(result, "gamma_emp"))
    for i, m in enumerate(MATRICES):
        for j, (how, interval, suffix) in enumerate(FILLED_OPEN):
            gamma = _repeats(result, f"{m.exponent}{suffix}")
            low, high = np.asarray(result.arrays[interval])[:, i].T
            offset = 0.16 * (2 * i + j - 1.5)
            style: dict[str, Any] = {"color": m.colour, "mfc": "white" if j else m.colour}
            error = np.abs(np.stack([gamma - low, high - gamma]))
            y, label = np.arange(repeats) + offset, f"{m.label}, {how}"
            ax.errorbar(gamma, y, xerr=error, fmt="os"[j], ms=5, lw=1.2, label=label, **style)
            ax.plot(gamma.mean(), repeats + 0.5 + offset, "D", **style)
    ax.axvline(1, color="black", lw=0.8, ls=":")
    ax.axhline(repeats, color=GREY, lw=0.5)
    names = [f"network {r + 1}" for r in range(repeats)]
    ax.set_yticks([*range(repeats), repeats + 0.5], [*names, "mean"])
    ax.invert_yaxis()
    ax.set_xlabel("exponent γ against H, with its 95% bootstrap interval over samples")
    panels.legend(fig, place="above", columns=4)
    return fig


def samples(result: Result) -> Figure:
    """The exponent against measured samples and against N_eff / D, with controls of exponent 1."""
    fig, axes = panels.row(9, 4.3, 2, sharey=True)
    a = {name: np.asarray(value) for name, value in result.arrays.items()}
    sizes = np.append(a["subsets"], a["samples"])
    whole, coverage = _repeats(result, "gamma_emp"), _repeats(result, "n_eff_over_d")
    for r, gamma in enumerate(whole):
        inside = np.append(a["ladder_emp_in_sample"][r].mean(1), gamma)
        outside = a["ladder_emp_crossfit"][r].mean(1)
        covered = np.append(a["ladder_coverage"][r].mean(1), coverage[r])
        for ax, x in zip(axes, (sizes, covered), strict=True):
            named = "networks (C against H)" if r == 0 and ax is axes[0] else None
            _pair(ax, x, inside, outside, BLUE, named)
    control = a["control_independent"].mean(0)
    for row, sigma, colour in zip(control, a["control_sigmas"], (GREEN, PINK), strict=False):
        for ax, x in zip(axes, (a["control_samples"], row[:, 2]), strict=True):
            named = f"control, true γ = 1, spread σ = {sigma:g}" if ax is axes[0] else None
            _pair(ax, x, row[:, 0], row[:, 1], colour, named)
    for ax, x in zip(
        axes, ("measured samples", "effective samples per weight, $N_{eff}/D$"), strict=True
    ):
        ax.axhline(1, color="black", lw=0.8, ls=":")
        ax.set(xscale="log", xlabel=x)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("exponent γ (filled: in-sample; open: cross-fit)")
    panels.legend(fig, place="above", columns=3)
    return fig


def _pair(ax, x, inside, outside, colour: str, label: str | None) -> None:
    """In-sample exponents (filled) and cross-fit ones (open, as many as there are)."""
    ax.plot(x, inside, "o-", color=colour, ms=4, lw=1, label=label)
    ax.plot(x[: len(outside)], outside, "s--", color=colour, mfc="white", ms=4, lw=1)


def _repeats(result: Result, key: str) -> np.ndarray:
    """One number a repeat."""
    return np.asarray(result.summary[key], float)


def _dots(ax, x, y, *, floor: float, **style: Any) -> None:
    """Points above `floor`; ten decades below the stiffest direction rounding decides."""
    keep = (x > floor) & (y > 0)
    ax.plot(x[keep], y[keep], ".", mew=0, ms=4, **style)


def _line(ax, x, y, slope: float, band: tuple[float, float] | None = None, **style: Any) -> None:
    """A power law through the centre of the points, with a band of exponents."""
    keep = (x > 0) & (y > 0)
    u, v = np.log10(x[keep]), np.log10(y[keep])
    grid = np.array([u.min(), u.mean(), u.max()])
    line = lambda slope: 10 ** (v.mean() + slope * (grid - u.mean()))  # noqa: E731
    ax.plot(10**grid, line(slope), lw=1, **style)
    if band is not None:
        ax.fill_between(10**grid, *map(line, band), color=style["color"], alpha=0.25, lw=0)


def _coherence(K: np.ndarray) -> np.ndarray:
    """R_ij = K_ij / sqrt|K_ii K_jj|."""
    scale = np.sqrt(np.abs(np.diagonal(K)))
    scale = np.where(scale > 0, scale, np.inf)
    return K / scale[:, None] / scale[None]
