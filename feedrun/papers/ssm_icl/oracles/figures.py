"""Figures of icl_oracles, drawn from its arrays alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.families.regression import NOISE
from feedrun.papers.ssm_icl.oracles.reference import SCALARS
from feedrun.papers.ssm_icl.style import REFERENCES
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY

COLOURED = ("bayes", "unknown", "arx_ols", "proper", "ridge", "ols", "lsa")
DRIFTING = {
    "bayes": "kalman",
    "ridge": "static",
    "forget_0.9": "forget_0.9",
    "forget_0.8": "forget_0.8",
}
"""Arrays of either task, by the references that they show."""

LAGS = {
    "ar1": (GREY, ":"),
    "ar2": (PINK, "--"),
    "ar4": (ORANGE, "-."),
    "ar8": (GREEN, (0, (5, 1))),
}
BANK_COLOURS = (GREY, PINK, SKY, BLUE)
CHAIN_COLOURS = (BLUE, GREEN, ORANGE, RED)


def figures(result: Result) -> dict[str, Any]:
    """All figures of icl_oracles by file stem."""
    arrays = result.arrays
    return {
        "risk_by_context": risk_by_context(arrays),
        "drifting_weights": drifting_weights(arrays),
        "risk_by_rho": risk_by_rho(arrays),
        "kalman_gain": kalman_gain(arrays),
        "mixture": mixture(arrays),
        "markov": markov(arrays),
    }


def band(ax: Any, x: Any, values: np.ndarray, words: str | None, colour: str, dash: Any) -> None:
    """The mean over repeats (R, N) of a risk or an excess, with its 95% interval."""
    panels.band(ax, x, values, positive=True, label=words, color=colour, linestyle=dash)


def risk_by_context(arrays) -> Figure:
    """CNR: risk over pairs in context at three correlations."""
    fig, axes = panels.row(10, 4.4, 3, sharey=True)
    for ax, rho in zip(axes, (0.0, 0.5, 0.9), strict=True):
        for name in COLOURED:
            values = arrays[f"cnr_{rho:g}_{name}"]
            n = np.arange(values.shape[1])
            shown = n >= (16 if name == "arx_ols" else 8 if name == "ols" else 1)
            band(ax, n[shown], values[:, shown], *REFERENCES[name])
        ax.axhline(NOISE, color="black", linewidth=0.9, linestyle=":")
        ax.axhline((1 - rho**2) * NOISE, color="black", linewidth=0.9, linestyle="-.")
        ax.set(title=f"$\\rho$ = {rho:g}", xlabel="pairs in context $n$", yscale="log")
        ax.set(xlim=(1, n[-1]), ylim=(0.04, 1.3))
        ax.set_yticks([0.05, 0.1, 0.25, 0.5, 1], ["0.05", "0.1", "0.25", "0.5", "1"])
        ax.minorticks_off()
    axes[0].set_ylabel("risk (mean squared error)")
    fig.suptitle(
        "Coloured noise: what lags see, no proper estimator can "
        "(dotted: $\\sigma_\\varepsilon^2$, dash-dotted: $\\sigma_u^2$)"
    )
    panels.legend(fig)
    return fig


def drifting_weights(arrays) -> Figure:
    """DR: risk over context at three rates of forgetting."""
    fig, axes = panels.row(10, 4, 3, sharey=True)
    for ax, a in zip(axes, (1.0, 0.99, 0.95), strict=True):
        for name, reference in DRIFTING.items():
            values = arrays[f"dr_{a:g}_{name}"]
            band(ax, np.arange(values.shape[1])[1:], values[:, 1:], *REFERENCES[reference])
        ax.axhline(NOISE, color="black", linewidth=0.9, linestyle=":")
        ax.set(title=f"$a$ = {a:g}", xlabel="pairs in context $n$", xlim=(1, values.shape[1] - 1))
        ax.set(ylim=(0.2, 1.45))
    axes[0].set_ylabel("risk (mean squared error)")
    fig.suptitle("Drifting weights: static ridge gets worse with context (dotted: noise)")
    panels.legend(fig)
    return fig


def risk_by_rho(arrays) -> Figure:
    """CNR at n = 40: exact risks over the correlation of the noise."""
    fig, (ax,) = panels.row(6.4, 4.6)
    rhos = arrays["gap_rhos"]
    shown = {"ols": "ols", "ridge": "ridge", "one_step": "lsa", "proper": "proper"}
    for name, style in ({"bayes": "bayes"} | shown).items():
        label, colour, line = REFERENCES[style]
        ax.plot(rhos, arrays[f"gap_{name}"].mean(axis=1), ls=line, color=colour, label=label)
    ax.plot(rhos, (1 - rhos**2) * NOISE, "-.", color="black", linewidth=0.9, label="$\\sigma_u^2$")
    ax.axhline(NOISE, color="black", linewidth=0.9, linestyle=":", label="$\\sigma_\\varepsilon^2$")
    middle = {rho: arrays[f"cnr_{rho:g}_arx_ols"] for rho in (0.0, 0.5, 0.9)}
    points = [risk[:, min(40, risk.shape[1] - 1)].mean() for risk in middle.values()]
    ax.plot(list(middle), points, "o", color=GREEN, label=REFERENCES["arx_ols"][0])
    ax.set(xlabel="correlation of the noise $\\rho$", ylabel="risk at $n$ = 40", ylim=(0, 0.45))
    ax.set(xlim=(rhos[0], rhos[-1]))
    designs = arrays["gap_bayes"].shape[1]
    fig.suptitle(f"Least squares does not feel the correlation, Bayes uses it ({designs} designs)")
    panels.legend(fig)
    return fig


def kalman_gain(arrays) -> Figure:
    """Gains over time and their limits; excess risk of using the limit from the start."""
    fig, (ax, other) = panels.row(10, 4.3, 2)
    gain, steady = arrays["gain_scalar"][..., 0], arrays["steady_scalar"][:, 0]
    t = np.arange(1, gain.shape[1] + 1)
    colours = (BLUE, SKY, GREEN, ORANGE, RED)
    for k, (a, _, r) in enumerate(SCALARS):
        ax.plot(t, gain[k], color=colours[k], label=f"$a$ = {a:g}, $r$ = {r:g}")
        ax.axhline(steady[k], color=colours[k], linewidth=0.8, linestyle=":")
        late = arrays["variance_scalar"][k] / arrays["limit_scalar"][k] - 1
        other.plot(t, np.maximum(late, 1e-16), color=colours[k])
    for i, style in enumerate(("-", "--")):
        ax.plot(t, arrays["gain_rotation"][:, i], style, color=PINK, label=f"rotation, $K_{i + 1}$")
    late = arrays["variance_rotation"] / arrays["limit_rotation"] - 1
    other.plot(t, np.maximum(late, 1e-16), color=PINK)
    ax.set(xlim=(1, 20), xlabel="position $t$", ylabel="predictor gain $K_t$")
    ax.set_xticks([1, 5, 10, 15, 20])
    other.set(yscale="log", ylim=(1e-8, 2), xlim=(1, 40), xlabel="position $t$")
    other.set_ylabel("excess variance $S_t / S_\\infty - 1$")
    fig.suptitle("The optimal gain settles within a few steps (dotted: steady state)")
    panels.legend(fig)
    return fig


def mixture(arrays) -> Figure:
    """LG4 and LG1: the price of not knowing the task; how many draws of a bank are left."""
    fig, (ax, left, price) = panels.row(12, 4.6, 3)
    for size, colour in zip(arrays["lg4_banks"], _last(BANK_COLOURS, arrays), strict=True):
        values = arrays[f"lg4_excess_{size}"]
        n = np.arange(values.shape[1])
        band(ax, n[1:], values[:, 1:], f"bank of {size}", colour, "-")
        left.plot(n, arrays[f"lg4_effective_{size}"], color=colour)
    for name, (colour, dash) in LAGS.items():
        values = arrays[f"lg4_excess_{name}"]
        band(ax, n[1:], values[:, 1:], f"AR({name[2:]}) ridge", colour, dash)
    ax.set(yscale="log", xlabel="past values $n$", title="LG4", xlim=(1, n[-1]))
    ax.set_ylabel("excess over the genie")
    ax.set_yticks([0.05, 0.1, 0.2, 0.3], ["0.05", "0.1", "0.2", "0.3"])
    ax.minorticks_off()
    left.axhline(50, color="black", linewidth=0.9, linestyle=":")
    left.set(yscale="log", xlabel="past values $n$", title="LG4: draws that still count")
    left.set(ylabel="effective sample size", xlim=(0, n[-1]))
    cost = arrays["lg1_cost"]
    band(price, np.arange(1, cost.shape[1]), cost[:, 1:], None, BLUE, "-")
    price.axhline(2, color="black", linewidth=0.9, linestyle=":")
    price.set(xscale="log", xlabel="past values $n$", ylim=(0, 2.1))
    price.set(title="LG1, exact: bound 2 parameters", ylabel="$n\\,E[(m - m_{genie})^2 / S]$")
    fig.suptitle("What not knowing the task costs")
    panels.legend(fig)
    return fig


def _last(colours: Sequence[str], arrays) -> Sequence[str]:
    """The strongest colours for the largest banks."""
    banks = len(arrays["lg4_banks"])
    return (*[GREY] * max(0, banks - len(colours)), *colours[-banks:])


def markov(arrays) -> Figure:
    """MC: KL to the truth of the Bayes and of the unigram predictor, by alphabet."""
    fig, (ax,) = panels.row(6.4, 4.6)
    for symbols, colour in zip(arrays["mc_alphabets"], CHAIN_COLOURS, strict=False):
        bayes, unigram = arrays[f"mc_{symbols}_bayes"], arrays[f"mc_{symbols}_unigram"]
        t = np.arange(bayes.shape[1])
        band(ax, t[1:], bayes[:, 1:], f"{symbols} symbols", colour, "-")
        ax.plot(t[1:], unigram.mean(axis=0)[1:], "--", color=colour, linewidth=1.1)
        limit = symbols * (symbols - 1) / 2 / np.maximum(t, 1)
        late = limit < 1.5 * bayes.mean(axis=0)
        ax.plot(t[late], limit[late], ":", color=colour, linewidth=1.1)
    ax.set(xscale="log", yscale="log", xlabel="position $t$", xlim=(1, t[-1]))
    ax.set_ylabel("KL to the truth (nats)")
    fig.suptitle(
        "Markov chains with unknown rows: Bayes (solid),\n"
        "smoothed unigrams (dashed), limit $V(V-1)/2t$ (dotted)",
        fontsize=11,
    )
    panels.legend(fig)
    return fig
