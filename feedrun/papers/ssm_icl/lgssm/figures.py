"""Figures of icl_lgssm, drawn from its arrays alone."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.arms import figures as shared
from feedrun.papers.ssm_icl.style import FAMILIES, LAGS, look, open_without_conv, title
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, GREEN, ORANGE, PALE, PINK, RED, SMALL

Arrays = Mapping[str, np.ndarray]
Panel = Callable[[Any, Arrays], None]

EXCESS = "excess over the filter that knows the system"
SEEN = "observations seen"
LINES = {"bayes": "Bayes", "ar4": LAGS["ar4"], "ar2": LAGS["ar2"]}
LEVELS = {"ar1": LAGS["ar1"], "ar2": "2 lags", "half": "g = 0.5", "bayes": "Bayes"}

BARE = {
    "complex": ("one complex pair", BLUE, "-"),
    "real": ("two real poles", RED, "-"),
    "more": ("eight real poles", ORANGE, "-"),
    "conv": ("two real, convolution before", GREEN, "-"),
    "layers": ("two real, two layers", PINK, "-"),
}
BLIND = {"linear": ":", "linear+conv": "-", "linear+rope": "--"}
FINITE = {"finite": "16 frozen systems", "lg1": FAMILIES["lg1"]}


def figures(result: Result) -> dict[str, Any]:
    """All figures of one run by file stem; a part that did not run has none."""
    arrays = result.arrays
    drawn = {
        "excess_by_step": by_step(arrays),
        "excess_by_context": shared.by_context(arrays, LINES, EXCESS),
    }
    if "stretched_excess" in arrays:
        drawn["stretched"] = stretched(arrays)
    if "ladder_excess" in arrays:
        drawn["states"] = states(arrays)
    if "finite_excess" in arrays:
        drawn["exact"] = exact(arrays)
    measured = [panel for part, panel in PANELS.items() if f"{part}_excess" in arrays]
    if measured:
        drawn["one_system"] = one_system(arrays, measured, result.summary)
    return drawn


def by_step(arrays: Arrays) -> Figure:
    """Excess by training step with the levels whose times are taken."""
    fig = shared.by_step(arrays, f"{EXCESS},\nmean over positions")
    axes = fig.axes[0]
    left = axes.get_xlim()[0]
    for name, words in LEVELS.items():
        level = float(arrays[f"level_{name}"])
        axes.axhline(level, color="k", lw=0.8, ls=":")
        axes.annotate(
            words, (left, level), (4, 2), textcoords="offset points", fontsize=7, va="bottom"
        )
    return fig


def stretched(arrays: Arrays) -> Figure:
    """Excess beyond the length of training."""
    fig, (axes,) = panels.row(6.4, 4.0)
    context = np.arange(arrays["stretched_excess"].shape[2])
    for name, excess in zip(arrays["stretched_arms"], arrays["stretched_excess"], strict=True):
        shared.band(axes, context[1:], _smooth(excess)[:, 1:], str(name))
    ar4 = _smooth(arrays["stretched_ar4"][None])[0]
    axes.plot(context[1:], ar4[1:], "k:", lw=1, label=LAGS["ar4"])
    axes.axvline(float(arrays["trained_length"]), color=PALE, lw=0.8)
    bottom = 0.7 * float(ar4[1:].min())
    axes.set(xscale="log", yscale="log", xlabel=f"{SEEN} (grey: the trained length)", ylabel=EXCESS)
    axes.set_ylim(bottom=bottom)
    panels.legend(fig, place="beside")
    return fig


def _smooth(excess: np.ndarray, share: float = 0.05) -> np.ndarray:
    """(R, T) averaged over a share of the context on either side, as wide on a logarithmic axis."""
    total = np.cumsum(np.pad(excess, ((0, 0), (1, 0))), axis=1)
    n = np.arange(excess.shape[1])
    half = (share * n).astype(int)
    high = np.minimum(n + half + 1, len(n))
    low = np.maximum(n - half, 0)
    return (total[:, high] - total[:, low]) / (high - low)


def states(arrays: Arrays) -> Figure:
    """Excess after the last observation against numbers remembered; attention's cache as it grows.

    Attention that keeps its last n observations alone has the risk it has after n: the sequences
    are stationary, so that what is left of one is one. All are compared with the same filter.
    """
    fig, (axes,) = panels.row(6.4, 4.0)
    later = arrays["genie_risk"] - arrays["genie_risk"][-1]
    for name, state, excess in zip(arrays["arms"], arrays["state"], arrays["excess"], strict=True):
        if str(name).startswith("softmax"):
            cache = state * np.arange(1, excess.shape[1]) / excess.shape[1]
            shared.band(axes, cache, (excess + later[None])[:, 1:], str(name))
        elif str(name) != "ssd+conv":
            dot = open_without_conv(str(name))
            axes.plot(state, excess[:, -1].mean(), "o", label=title(str(name)), **dot)
    _ladder(axes, arrays)
    axes.axhline(float(arrays["line_bayes"][-1]), color="k", lw=1, ls=":", label="Bayes")
    axes.set(xscale="log", yscale="log", xlabel="real numbers remembered", ylabel=EXCESS)
    panels.legend(fig, place="beside")
    return fig


def _ladder(axes: Any, arrays: Arrays) -> None:
    """The reference arm with smaller and larger states, with intervals over seeds."""
    ends = arrays["ladder_excess"][..., -1]
    label = title("ssd+conv") + ", N varied"
    panels.points(axes, arrays["ladder_states"], ends.T, color=BLUE, marker="s", linestyle="-",
                  linewidth=1.6, elinewidth=1.2, label=label)  # fmt: skip


def exact(arrays: Arrays) -> Figure:
    """The selective SSM beside the exact mixture, where there is one."""
    fig, every = panels.row(8.0, 3.7, len(FINITE))
    for axes, (name, words) in zip(every, FINITE.items(), strict=True):
        excess, bayes = arrays[f"{name}_excess"], arrays[f"{name}_bayes"]
        context = np.arange(1, len(bayes))
        shared.band(axes, context, excess[:, 1:], "ssd+conv")
        axes.plot(context, bayes[1:], "k:", lw=1.2, label="exact mixture (Bayes)")
        axes.set(xscale="log", yscale="log", xlabel=SEEN, title=words)
    every[0].set_ylabel(EXCESS.replace(" that", "\nthat"))
    panels.legend(fig)
    return fig


def one_system(arrays: Arrays, measured: list[Panel], summary: Mapping[str, Any]) -> Figure:
    """Systems that never change: selection, order and poles."""
    fig, every = panels.row(0.6 + 3.4 * len(measured), 4.2, len(measured))
    for axes, panel in zip(every, measured, strict=True):
        panel(axes, arrays)
        if panel is _poles and "poles/real_limit" in summary:
            limit = float(summary["poles/real_limit"])
            axes.axhline(limit, color=RED, lw=1, ls=":", label="best two real poles")
        axes.set(xscale="log", yscale="log", xlabel=SEEN)
        lowest = min(np.min(line.get_ydata()) for line in axes.lines)
        axes.set_ylim(bottom=0.5 * max(float(lowest), 1e-6))
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}  # a legend a panel
        axes.legend(fontsize=SMALL, frameon=False, **place)
    fig.axes[0].set_ylabel(EXCESS.replace(" that", "\nthat"))
    return fig


def _known(axes: Any, arrays: Arrays) -> None:
    axes.set_title("one system of LG4: is selection needed?", fontsize=9)
    _arms(axes, arrays, "known")


def _order_blind(axes: Any, arrays: Arrays) -> None:
    axes.set_title("one system of LG1: is order seen?", fontsize=9)
    for name, excess in zip(arrays["order_blind_arms"], arrays["order_blind_excess"], strict=True):
        context, colour = np.arange(1, excess.shape[1]), look(str(name))["color"]
        style = {"color": colour, "linestyle": BLIND[str(name)], "label": title(str(name))}
        panels.band(axes, context, excess[:, 1:], **style)
    floor = arrays["order_blind_floor"]
    label = "best linear that is blind to order"
    axes.plot(np.arange(2, 2 + len(floor)), floor, "k:", lw=1.2, label=label)


def _poles(axes: Any, arrays: Arrays) -> None:
    axes.set_title("a turning state: bare recurrences", fontsize=9)
    for name, excess in zip(arrays["poles_arms"], arrays["poles_excess"], strict=True):
        words, colour, dash = BARE[str(name)]
        context = np.arange(1, excess.shape[1])
        panels.band(axes, context, excess[:, 1:], label=words, color=colour, linestyle=dash)


def _arms(axes: Any, arrays: Arrays, part: str) -> None:
    for name, excess in zip(arrays[f"{part}_arms"], arrays[f"{part}_excess"], strict=True):
        shared.band(axes, np.arange(1, excess.shape[1]), excess[:, 1:], str(name))


PANELS: dict[str, Panel] = {"known": _known, "order_blind": _order_blind, "poles": _poles}
