"""Figures of slay_speed, drawn from a result's arrays alone."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay.speed.layer import VARIANTS
from feedrun.papers.slay.speed.measures import slope
from feedrun.papers.slay.style import LAYERS, look
from feedrun.plotting import panels
from feedrun.plotting.style import TITLE

FILLS = ("full", "none", "left", "bottom", "top", "right")
"""How the marks of variants of one mechanism are filled."""

MEGA = 2**20


def figures(result: Result) -> dict[str, Any]:
    """All figures of slay_speed by file stem."""
    arrays = result.arrays
    return {
        "time": time_of_length(arrays),
        "memory": memory(arrays),
        "throughput": throughput(arrays),
        "error_and_state": error_and_state(arrays),
    }


def time_of_length(arrays) -> Figure:
    """Milliseconds over tokens, forward and with the gradient; slopes in the legend's place."""
    fig, axes = panels.row(11, 5.6, 2, sharey=True)
    for ax, name, title in zip(axes, ("forward", "training"), ("forward", "forward and backward"),
                               strict=True):  # fmt: skip
        lengths, ms = arrays[f"{name}_lengths"], 1e3 * _median(arrays[f"{name}_seconds"])
        for mechanism, curve in zip(arrays[f"{name}_mechanisms"], ms, strict=True):
            found = slope(lengths.astype(float), curve, least=2048.0)
            end = np.flatnonzero(np.isfinite(curve))
            ax.plot(lengths, curve, **_look(mechanism))
            if found is not None:
                ax.annotate(f"{found:.2f}", (lengths[end[-1]], curve[end[-1]]), fontsize=7,
                            xytext=(4, 0), textcoords="offset points", va="center",
                            color=_look(mechanism)["color"])  # fmt: skip
        _axes(ax, title, "time of a layer (ms, median of rounds)" if ax is axes[0] else "")
        ax.set_xlim(right=ax.get_xlim()[1] * 1.3)  # room for the last slopes
    _legend(fig, "Time of one causal layer; numbers: log-log slope from 2,048 tokens on")
    return fig


def memory(arrays) -> Figure:
    """Temporary memory over tokens, forward and with the gradient."""
    fig, axes = panels.row(11, 5.6, 2, sharey=True)
    for ax, name, title in zip(axes, ("forward", "training"), ("forward", "forward and backward"),
                               strict=True):  # fmt: skip
        rows = zip(arrays[f"{name}_mechanisms"], arrays[f"{name}_temporary"] / MEGA, strict=True)
        for mechanism, curve in rows:
            ax.plot(arrays[f"{name}_lengths"], curve, **_look(mechanism))
        _axes(ax, title, "temporary memory (MiB, planned by XLA)" if ax is axes[0] else "")
    _legend(fig, "Memory of one causal layer beside inputs and outputs")
    return fig


def throughput(arrays) -> Figure:
    """Tokens a second over tokens, causal and bidirectional."""
    fig, axes = panels.row(11, 5.6, 2, sharey=True)
    for ax, name, title in zip(axes, ("forward", "bidirectional"), ("causal", "bidirectional"),
                               strict=True):  # fmt: skip
        lengths = arrays[f"{name}_lengths"]
        rates = lengths / _median(arrays[f"{name}_seconds"])
        for mechanism, curve in zip(arrays[f"{name}_mechanisms"], rates, strict=True):
            ax.plot(lengths, curve, **_look(mechanism))
        _axes(ax, title, "tokens a second" if ax is axes[0] else "")
    _legend(fig, "Throughput of one layer, forward")
    return fig


def error_and_state(arrays) -> Figure:
    """Distance to exact attention over the numbers that decoding keeps, at the shortest length."""
    fig, axes = panels.row(11, 5.2, 2)
    names, states = arrays["fidelity_mechanisms"], arrays["states"][:, 1]
    length = arrays["fidelity_lengths"][0]
    for ax, errors, title in zip(axes, arrays["errors"][:, 0], ("Gaussian", "correlated"),
                                 strict=True):  # fmt: skip
        for name, state, values in zip(names, states, errors, strict=True):
            low, high = values.min(), values.max()
            middle = values.mean()
            look = _look(name) | {"linestyle": "none"}
            ax.errorbar(state, middle, [[middle - low], [high - middle]], **look, capsize=2)
        ax.set(xscale="log", yscale="log", title=f"{title} data, {length} tokens",
               xlabel="numbers in a head's decoding state, recent keys included")  # fmt: skip
        ax.grid(alpha=0.25, which="both")
    axes[0].set_ylabel("relative $L_2$ distance to exact attention")
    _legend(fig, "What a state buys: error against size (mean and range of draws)")
    return fig


def _median(seconds):
    """Median over rounds; NaN where a round has none."""
    return np.median(seconds, axis=0)


def _look(name) -> dict[str, Any]:
    """Colour, mark and label of a variant: those of its mechanism, filled in its own way."""
    name = str(name)
    kin = [other for other in VARIANTS if _family(other) == _family(name)]
    quadratic = VARIANTS[name].order == 2
    return {
        **look(_family(name)),
        "fillstyle": FILLS[kin.index(name) % len(FILLS)],
        "linestyle": "--" if quadratic else "-",
        "markersize": 5,
        "linewidth": 1.4,
        "label": LAYERS.get(name, name),
    }


def _family(name: str) -> str:
    """The mechanism of a variant, softmax and exact Yat whatever they keep in memory."""
    attend = VARIANTS[name].attend
    return next((word for word in ("softmax", "yat") if attend.startswith(word)), attend)


def _axes(ax, title: str, ylabel: str) -> None:
    ax.set(xscale="log", yscale="log", title=title, xlabel="tokens", ylabel=ylabel)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x / 1024:g}k" if x >= 1024 else f"{x:g}")


def _legend(fig: Figure, title: str) -> None:
    """A title above, and one legend below for the marks of all axes."""
    fig.suptitle(title, fontsize=TITLE)
    panels.legend(fig)
