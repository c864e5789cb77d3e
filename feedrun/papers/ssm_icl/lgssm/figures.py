"""Figures of icl_lgssm, drawn from its arrays alone."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.maths import stats
from feedrun.papers.ssm_icl.arms import figures as shared
from feedrun.plotting import BLUE, GREEN, ORANGE, PINK, RED, canvas

Arrays = Mapping[str, np.ndarray]
Panel = Callable[[Any, Arrays], None]

EXCESS = "excess over the filter that knows the system"
SEEN = "observations seen"
LINES = {"bayes": "Bayes", "ar4": "ridge on 4 lags", "ar2": "ridge on 2 lags"}
LEVELS = {"ar1": "ridge on 1 lag", "ar2": "2 lags", "half": "g = 0.5", "bayes": "Bayes"}

BARE = {
    "complex": ("one complex pair", BLUE, "-"),
    "real": ("two real poles", RED, "-"),
    "more": ("eight real poles", ORANGE, "-"),
    "conv": ("two real, convolution before", GREEN, "-"),
    "layers": ("two real, two layers", PINK, "-"),
}
BLIND = {"linear": ":", "linear+conv": "-", "linear+rope": "--"}
FINITE = {"finite": "16 frozen systems", "lg1": "LG1"}


def all_figures(result: Result) -> dict[str, Any]:
    """All figures of one run by file stem; a part that did not run has none."""
    arrays = result.arrays
    figures = {
        "excess_by_step": by_step(arrays),
        "excess_by_context": shared.by_context(arrays, LINES, EXCESS),
    }
    if "stretched_excess" in arrays:
        figures["stretched"] = stretched(arrays)
    if "ladder_excess" in arrays:
        figures["states"] = states(arrays)
    if "finite_excess" in arrays:
        figures["exact"] = exact(arrays)
    panels = [panel for part, panel in PANELS.items() if f"{part}_excess" in arrays]
    if panels:
        figures["one_system"] = one_system(arrays, panels, result.summary)
    return figures


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
    fig = canvas(6.4, 4.0)
    axes = fig.add_subplot()
    context = np.arange(arrays["stretched_excess"].shape[2])
    for name, excess in zip(arrays["stretched_arms"], arrays["stretched_excess"], strict=True):
        shared.band(axes, context[1:], _smooth(excess)[:, 1:], str(name))
    ar4 = _smooth(arrays["stretched_ar4"][None])[0]
    axes.plot(context[1:], ar4[1:], "k:", lw=1, label="ridge on 4 lags")
    axes.axvline(float(arrays["trained_length"]), color="0.6", lw=0.8)
    bottom = 0.7 * float(ar4[1:].min())
    axes.set(xscale="log", yscale="log", xlabel=f"{SEEN} (grey: the trained length)", ylabel=EXCESS)
    axes.set_ylim(bottom=bottom)
    fig.legend(loc="outside right upper", fontsize=8, frameon=False)
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
    fig = canvas(6.4, 4.0)
    axes = fig.add_subplot()
    later = arrays["genie_risk"] - arrays["genie_risk"][-1]
    for name, state, excess in zip(arrays["arms"], arrays["state"], arrays["excess"], strict=True):
        style, words = shared.look(str(name)), shared.title(str(name))
        if str(name).startswith("softmax"):
            cache = state * np.arange(1, excess.shape[1]) / excess.shape[1]
            shared.band(axes, cache, (excess + later[None])[:, 1:], str(name))
        elif str(name) != "ssd+conv":
            face = style["color"] if style["linestyle"] == "-" else "w"
            axes.plot(state, excess[:, -1].mean(), "o", color=style["color"], mfc=face, label=words)
    _ladder(axes, arrays)
    axes.axhline(float(arrays["line_bayes"][-1]), color="k", lw=1, ls=":", label="Bayes")
    axes.set(xscale="log", yscale="log", xlabel="real numbers remembered", ylabel=EXCESS)
    fig.legend(loc="outside right upper", fontsize=8, frameon=False)
    return fig


def _ladder(axes: Any, arrays: Arrays) -> None:
    """The reference arm with smaller and larger states, with intervals over seeds."""
    ends = arrays["ladder_excess"][..., -1]
    label = shared.title("ssd+conv") + ", N varied"
    axes.plot(arrays["ladder_states"], ends.mean(axis=1), "s-", color=BLUE, lw=1.6, label=label)
    if ends.shape[1] >= stats.MIN_REPEATS:
        low, high = np.array([stats.mean_interval(seeds) for seeds in ends]).T
        axes.vlines(arrays["ladder_states"], low, high, color=BLUE, lw=1.2)


def exact(arrays: Arrays) -> Figure:
    """The selective SSM beside the exact mixture, where there is one."""
    fig = canvas(8.0, 3.4)
    for axes, (name, words) in zip(fig.subplots(1, len(FINITE)), FINITE.items(), strict=True):
        excess, bayes = arrays[f"{name}_excess"], arrays[f"{name}_bayes"]
        context = np.arange(1, len(bayes))
        shared.band(axes, context, excess[:, 1:], "ssd+conv")
        axes.plot(context, bayes[1:], "k:", lw=1.2, label="exact mixture (Bayes)")
        axes.set(xscale="log", yscale="log", xlabel=SEEN, title=words)
        axes.legend(fontsize=8, frameon=False, loc="lower left")
    fig.axes[0].set_ylabel(EXCESS.replace(" that", "\nthat"))
    return fig


def one_system(arrays: Arrays, panels: list[Panel], summary: Mapping[str, Any]) -> Figure:
    """Systems that never change: selection, order and poles."""
    fig = canvas(0.6 + 3.4 * len(panels), 4.2)
    for axes, panel in zip(fig.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel(axes, arrays)
        if panel is _poles and "poles/real_limit" in summary:
            limit = float(summary["poles/real_limit"])
            axes.axhline(limit, color=RED, lw=1, ls=":", label="best two real poles")
        axes.set(xscale="log", yscale="log", xlabel=SEEN)
        lowest = min(np.min(line.get_ydata()) for line in axes.lines)
        axes.set_ylim(bottom=0.5 * max(float(lowest), 1e-6))
        axes.legend(
            fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1
        )
    fig.axes[0].set_ylabel(EXCESS.replace(" that", "\nthat"))
    return fig


def _known(axes: Any, arrays: Arrays) -> None:
    axes.set_title("one system of LG4: is selection needed?", fontsize=9)
    _arms(axes, arrays, "known")


def _order_blind(axes: Any, arrays: Arrays) -> None:
    axes.set_title("one system of LG1: is order seen?", fontsize=9)
    for name, excess in zip(arrays["order_blind_arms"], arrays["order_blind_excess"], strict=True):
        words, colour = shared.title(str(name)), shared.look(str(name))["color"]
        context = np.arange(1, excess.shape[1])
        _mean(axes, context, excess[:, 1:], words, colour, BLIND[str(name)])
    floor = arrays["order_blind_floor"]
    label = "best linear that is blind to order"
    axes.plot(np.arange(2, 2 + len(floor)), floor, "k:", lw=1.2, label=label)


def _poles(axes: Any, arrays: Arrays) -> None:
    axes.set_title("a turning state: bare recurrences", fontsize=9)
    for name, excess in zip(arrays["poles_arms"], arrays["poles_excess"], strict=True):
        words, colour, _ = BARE[str(name)]
        _mean(axes, np.arange(1, excess.shape[1]), excess[:, 1:], words, colour)


def _arms(axes: Any, arrays: Arrays, part: str) -> None:
    for name, excess in zip(arrays[f"{part}_arms"], arrays[f"{part}_excess"], strict=True):
        shared.band(axes, np.arange(1, excess.shape[1]), excess[:, 1:], str(name))


def _mean(
    axes: Any, x: np.ndarray, values: np.ndarray, words: str, colour: str, dash: str = "-"
) -> None:
    """The mean over seeds (R, N) with its 95% interval."""
    axes.plot(x, values.mean(axis=0), color=colour, ls=dash, lw=1.6, label=words)
    if len(values) >= stats.MIN_REPEATS:
        low, high = np.array([stats.mean_interval(column) for column in values.T]).T
        axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


PANELS: dict[str, Panel] = {"known": _known, "order_blind": _order_blind, "poles": _poles}
