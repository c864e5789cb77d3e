"""Figures of slay_kernel, drawn from a result's arrays alone."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.slay import theory
from feedrun.papers.slay.kernel import ablation, identities, needle
from feedrun.papers.slay.style import COLOURS, beyond, dots, lines, look, mechanisms, words
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, GREY, ORANGE, PALE, RED

KINDS = ("Gaussian data", "correlated data")
TARGETS = ("against exact spherical Yat attention", "against softmax attention")
EDGE = 1.3
"""Where axes of errors end: an output of zeros has the error 1."""

DASHES = ("--", ":", "-.", (0, (5, 1)), (0, (1, 3)))
FLAT = ("uniform", "anchor_limit", "square", "hybrid", "window_square")
"""Mechanisms without a budget to sweep, drawn as lines."""

SHOWN_AS = {"anchor_limit": "slay"}
"""Limits in the colour of what tends to them."""


def figures(result: Result) -> dict[str, Any]:
    """All figures of slay_kernel by file stem."""
    arrays = result.arrays
    drawn = {
        "kernel": peak(float(arrays["eps"])),
        "bias_and_noise": bias_and_noise(float(arrays["eps"])),
        "needle": in_a_haystack(float(arrays["eps"]), arrays),
        "fidelity": table(arrays),
        "nodes": by_nodes(arrays),
        "ablation": layer(arrays),
    }
    return drawn | ({"budgets": by_budget(arrays)} if len(arrays["swept"]) else {})


def peak(eps: float) -> Figure:
    """K, its quadratures and the limit of SLAY over the cosine, and near 1 over 1 - x."""
    fig, (wide, near) = panels.row(9.5, 4.4, 2)
    for ax, x, shown in (
        (wide, np.linspace(-1, 1, 801), lambda x: x),
        (near, 1 - np.geomspace(1e-5, 1, 400), lambda x: 1 - x),
    ):
        ax.plot(shown(x), identities.kernel(x, eps), color="black", linewidth=2, label="$K(x)$")
        for colour, R in zip(COLOURS, (1, 2, 3, 10), strict=False):
            label = f"$K_R$, R = {R}"
            ax.plot(shown(x), identities.quadrature(R, x, eps), color=colour, label=label)
        limit = (1 + 2 * x**2) / (2 + eps - 2 * x) / 3  # scales cancel: equal at x = 1
        ax.plot(shown(x), limit, "--", color=GREY, label="limit of SLAY's anchors, over 3")
    wide.set(xlim=(-1, 1), ylim=(0, 4), xlabel="cosine $x$", ylabel="kernel (no unit)")
    near.set_ylabel("kernel (no unit)")
    near.set(xscale="log", yscale="log", xlabel="$1 - x$", xlim=(1, 1e-5), ylim=(1e-2, 5e3))
    panels.legend(fig, columns=6)
    fig.suptitle(
        f"The sum of nodes has no peak, and anchors do not vanish at 0 ($\\epsilon$ = {eps:g})"
    )
    return fig


def bias_and_noise(eps: float, *, prf: int = 16) -> Figure:
    """Relative bias of K_R, and relative deviation of its features, over the cosine."""
    fig, (ax,) = panels.row(7.0, 4.8)
    x = np.linspace(-0.99, 0.99, 400)
    for colour, R in zip(COLOURS, (1, 2, 3, 4), strict=False):
        rule = theory.laguerre_nodes(R, eps)
        noise = np.sqrt(theory.mixture_variance(rule, x) / prf)
        ax.plot(x, noise, color=colour, label=f"noise, R = {R}")
        bias = np.abs(identities.shortfall(R, x, eps))
        ax.plot(x, bias, "--", color=colour, label=f"bias, R = {R}")
    ax.axhline(1, color=PALE, linewidth=0.8, zorder=0)
    ax.set(yscale="log", xlim=(-1, 1), ylim=(1e-5, 1e7), xlabel="cosine $x$")
    ax.set_ylabel("relative to $K_R$ (noise) and $K$ (bias)")
    panels.legend(fig, columns=4)
    fig.suptitle(f"Nodes trade a small bias for much noise (exact square, {prf} features a node)")
    return fig


def in_a_haystack(eps: float, arrays) -> Figure:
    """Share of attention that one key gets, over its distance from the query."""
    d, others = int(arrays["needle_dimension"]), int(arrays["needle_others"])
    fig, (ax,) = panels.row(7.0, 4.8)
    x = 1 - np.geomspace(1e-4, 1, 300)
    names = {
        "yat": "exact spherical Yat",
        "softmax": "softmax, $|q| = |k| = 8$",
        "quadrature": "$K_2$: two nodes, exact square",
        "anchor_limit": "limit of SLAY, two nodes",
        "uniform": "uniform",
    }
    weigh = needle.kernels(eps, d)
    for name, label in names.items():
        shares = needle.mass(weigh[name], x, dimension=d, others=others)
        colour = {"quadrature": RED}.get(name) or look(SHOWN_AS.get(name, name))["color"]
        ax.plot(1 - x, shares, color=colour, linewidth=1.8, label=label)
    ax.set(xscale="log", yscale="log", xlim=(1, 1e-4), ylim=(5e-5, 1.2))
    ax.set(xlabel="$1 - x$, $x$ the cosine of query and key", ylabel="share of the attention")
    panels.legend(fig, columns=3)
    fig.suptitle(f"One key among {others} random ones, $d$ = {d}")
    return fig


def table(arrays) -> Figure:
    """Error of every mechanism at the first budget, both targets, both kinds of data."""
    labels = [str(row) for row in arrays["rows"]]
    control = arrays["row_values"][labels.index("uniform"), :, 0] if "uniform" in labels else None
    first = [i for i, label in enumerate(labels) if not label.rpartition("_m")[2].isdigit()]
    first.sort(key=lambda i: -arrays["row_values"][i, 0, 0, 0].mean())
    values, at = arrays["row_values"][first], np.arange(len(first))
    fig, axes = panels.row(10.0, 1.6 + 0.27 * len(first), 2, sharey=True)
    for i, ax in enumerate(axes):
        for n, (colour, marker) in enumerate(((BLUE, "o"), (ORANGE, "D"))):
            style = {"color": colour, "marker": marker, "label": KINDS[n]}
            dots(ax, at + 0.18 * (1 - 2 * n), values[:, i, 0, n], EDGE, **style)
            if control is not None:
                level = control[i, n].mean()
                ax.axvline(level, color=colour, linewidth=0.9, linestyle="--", zorder=0)
        ax.set(title=TARGETS[i], xlabel="relative $L^2$ error of the output", xlim=(0, 1.03 * EDGE))
    axes[0].set_yticks(at, [words(labels[i]) for i in first], fontsize=8)
    panels.legend(fig, columns=2)
    fig.suptitle(f"Output of causal attention, m = {arrays['features'][0]} (dashed: uniform)")
    return fig


def by_budget(arrays) -> Figure:
    """Error over the number of features, with the mechanisms that have no budget as lines."""
    labels, values = [str(row) for row in arrays["rows"]], arrays["row_values"]
    order = np.argsort(arrays["features"])
    features = arrays["features"][order]
    fig, axes = panels.row(9.5, 4.8, 2, sharey=True)
    for n, ax in enumerate(axes):
        rows = arrays["swept_errors"][:, order, 0, n]
        mechanisms(ax, features, rows, [str(name) for name in arrays["swept"]])
        flat = [name for name in FLAT if name in labels]
        for name, dash in zip(flat, DASHES, strict=False):
            level = values[labels.index(name), 0, 0, n].mean()
            ax.axhline(level, color="black", linestyle=dash, linewidth=1.1, label=words(name))
        ax.set(xscale="log", title=KINDS[n], xlabel="features a head, $m$", ylim=(0, EDGE))
        ax.set_xticks(features, [str(m) for m in features])
        ax.minorticks_off()
    axes[0].set_ylabel("relative $L^2$ error against exact Yat")
    panels.legend(fig, columns=4)
    fig.suptitle("More features do not bring SLAY to its target")
    return fig


def by_nodes(arrays) -> Figure:
    """Exact square times features: error over their number, for each number of nodes."""
    fig, axes = panels.row(9.5, 4.6, 2)
    for n, ax in enumerate(axes):
        names = [f"R = {R}" for R in arrays["nodes"]]
        lines(ax, arrays["node_budgets"], arrays["node_errors"][:, :, n], names)
        level = arrays["square_errors"][n].mean()
        ax.axhline(level, color="black", linestyle="--", linewidth=1.1, label="exact square alone")
        ax.set(xscale="log", title=KINDS[n], xlabel="features in all, $R\\,D$")
        ax.set_xticks(arrays["node_budgets"], [str(m) for m in arrays["node_budgets"]])
        ax.minorticks_off()
    axes[0].set_ylabel("relative $L^2$ error against exact Yat")
    panels.legend(fig, columns=5)
    fig.suptitle("At equal cost more quadrature nodes do not help (exact square)")
    return fig


def layer(arrays) -> Figure:
    """The paper's ablation, ours with intervals beside the published numbers."""
    names = [str(name) for name in arrays["ablation_names"]]
    columns = [str(label) for label in arrays["ablation_labels"]]
    fig, axes = panels.row(10.0, 4.8, len(columns), sharey=True)
    for i, ax in enumerate(axes):
        at = np.arange(len(names))[::-1]
        style = {"color": BLUE, "marker": "o", "label": "ours, mean of seeds, 95%"}
        dots(ax, at + 0.15, arrays["ablation_errors"][i], EDGE, **style)
        told = [(ablation.PUBLISHED[name][i], y) for name, y in zip(names, at, strict=True)
                if name in ablation.PUBLISHED]  # fmt: skip
        if told:
            value, y = np.array(told).T
            near = value <= EDGE
            ax.plot(value[near], y[near] - 0.15, "x", color=RED, label="published")
            beyond(ax, y[~near] - 0.15, value[~near], EDGE, color=RED)
        ax.set(title=columns[i], xlabel="relative $L^2$ error", xlim=(0, 1.03 * EDGE))
        ax.set_yticks(at, [words(name) for name in names])
    panels.legend(fig, columns=2)
    fig.suptitle("The paper's ablation: one layer, tied weights, against exact Yat")
    return fig
