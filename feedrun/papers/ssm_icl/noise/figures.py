"""Figures of icl_noise, drawn from its arrays alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.arms.figures import band
from feedrun.papers.ssm_icl.arms.figures import part as part_of
from feedrun.papers.ssm_icl.arms.training import REFERENCE
from feedrun.papers.ssm_icl.families.regression import NOISE
from feedrun.papers.ssm_icl.noise.studies import RHO
from feedrun.papers.ssm_icl.noise.summary import CONTEXT
from feedrun.papers.ssm_icl.style import REFERENCES, look, title
from feedrun.plotting import panels
from feedrun.plotting.style import GREY

Arrays = Mapping[str, np.ndarray]
PANELS = {
    "coloured": f"$\\rho$ = {RHO:g}, lags given",
    "shifted": f"$\\rho$ = {RHO:g}, lags to be paired",
    "placebo": "$\\rho$ = 0, the placebo",
}
NAMES = {
    **PANELS,
    "mixed": "$\\rho$ unknown",
    "control": "autoregression (control)",
}


def figures(result: Result) -> dict[str, Any]:
    """The figures of icl_noise by file stem; of studies that were left out there is none."""
    arrays, drawn = result.arrays, {}
    names = studies(arrays)
    drifts = [name for name in names if name.startswith("drifting")]
    if regressions := [name for name in PANELS if name in names]:
        drawn["risk_by_context"] = risk_by_context(arrays, regressions)
    if {"coloured", "placebo"} <= set(names):
        drawn["separation"] = separation(arrays)
    if "mixed" in names:
        drawn["risk_by_rho"] = risk_by_rho(part(arrays, "mixed"), arrays["rhos"])
    if drifts:
        static = ["placebo"] if "placebo" in names else []
        drawn["drifting_weights"] = drifting_weights(arrays, [*static, *drifts])
    if "control" in names:
        drawn["control"] = control(part(arrays, "control"))
    if names:
        drawn["training"] = training(arrays, names)
    return drawn


def studies(arrays: Arrays) -> list[str]:
    """The studies in the arrays, in the order in which they were run."""
    found = dict.fromkeys(name.split("/")[0] for name in arrays if "/" in name)
    return list(found)


def part(arrays: Arrays, study: str) -> dict[str, np.ndarray]:
    """The arrays of one study, without its name."""
    return part_of(arrays, study, separator="/")


def name_of(study: str) -> str:
    """A study in words."""
    return NAMES.get(study) or f"drifting weights, $a$ = {study.removeprefix('drifting_')}"


def row(columns: int, **shared: Any) -> tuple[Figure, list[Any]]:
    """A figure with so many axes side by side, as wide as they need."""
    return panels.row(max(5.6, 3.5 * columns), 4.2, columns, **shared)


def trained_until(ax: Any, length: Any) -> None:
    """Where the contexts of training end."""
    ax.axvline(int(length) - 1, color=GREY, lw=0.8, ls=(0, (4, 3)))


def risk_by_context(arrays: Arrays, names: Sequence[str]) -> Figure:
    """CNR: risk over pairs in context, every arm between Bayes and the best proper predictor."""
    fig, axes = row(len(names), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        own = part(arrays, name)
        n = np.arange(1, own["excess"].shape[2])
        ax.axhline(NOISE, color="black", lw=0.9, ls=":")
        if name != "placebo":
            ax.axhline((1 - RHO**2) * NOISE, color="black", lw=0.9, ls="-.")
        ax.plot(n, own["proper"][1:], color=GREY, lw=1.2, ls="--", label=REFERENCES["proper"][0])
        lagged = own["line_arx_ridge"] + own["bayes"]
        ax.plot(n, lagged[1:], color=GREY, lw=1.2, ls=":", label="ridge on lags")
        ax.plot(n, own["bayes"][1:], color="black", lw=1.2, label="Bayes")
        for arm, excess in zip(own["arms"], own["excess"], strict=True):
            band(ax, n, (excess + own["bayes"])[:, 1:], str(arm))
        trained_until(ax, arrays["length"])
        ax.set(title=name_of(name), xlabel="pairs in context $n$", xscale="log", yscale="log")
        ax.set(xlim=(1, n[-1]), ylim=(0.04, 1.6))
        ax.set_yticks([0.05, 0.1, 0.25, 0.5, 1], ["0.05", "0.1", "0.25", "0.5", "1"])
        ax.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        ax.minorticks_off()
    axes[0].set_ylabel("risk (mean squared error)")
    fig.suptitle(
        "Coloured noise (dotted: $\\sigma_\\varepsilon^2$, dash-dotted: $\\sigma_u^2$; vertical: "
        "longest context of training)",
        fontsize=10,
    )
    panels.legend(fig)
    return fig


def separation(arrays: Arrays) -> Figure:
    """How much more the other arms risk than the selective SSM, with correlation and without."""
    names = ("coloured", "placebo")  # `shifted` has gaps of another size
    fig, axes = row(len(names), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        own = part(arrays, name)
        excess = dict(zip(map(str, own["arms"]), own["excess"], strict=True))
        base, last = excess.pop(REFERENCE, None), int(arrays["length"])
        for arm, other in excess.items() if base is not None else ():
            band(ax, np.arange(1, last), (other - base)[:, 1:last], arm)
        ax.axhline(0, color="black", lw=0.9)
        ax.axvline(CONTEXT, color=GREY, lw=0.8, ls=":")
        ax.set(title=name_of(name), xlabel="pairs in context $n$", xlim=(1, last - 1))
    axes[0].set_ylabel("risk less that of the selective SSM")
    words = "Above 0 the selective SSM is better: expected at $\\rho$ = 0.9, not on the placebo"
    fig.suptitle(words, fontsize=10)
    panels.legend(fig)
    return fig


def risk_by_rho(own: Arrays, rhos: np.ndarray) -> Figure:
    """CNR-mix: risk at CONTEXT pairs over the correlation, which is not told."""
    fig, axes = row(1)
    ax, order = axes[0], np.argsort(rhos)
    x = np.asarray(rhos)[order]
    ax.axhline(NOISE, color="black", lw=0.9, ls=":", label="$\\sigma_\\varepsilon^2$")
    ax.plot(x, (1 - x**2) * NOISE, color="black", lw=0.9, ls="-.", label="$\\sigma_u^2$")
    ax.plot(x, own["by_proper"][order], color=GREY, lw=1.2, ls="--", label=REFERENCES["proper"][0])
    ax.plot(x, own["by_bayes"][order], color="black", lw=1.2, label=REFERENCES["bayes"][0])
    ax.plot(x, own["by_unknown"][order], "kx", ms=5, label=REFERENCES["unknown"][0])
    for arm, risks in zip(own["arms"], own["by_arms"], strict=True):
        band(ax, x, risks[:, order], str(arm))
    ax.set(xlabel="correlation $\\rho$ of the noise, one step apart", ylim=(0, None))
    ax.set(ylabel=f"risk after {CONTEXT} pairs", xlim=(x[0], x[-1]))
    panels.legend(fig, columns=3)
    return fig


def drifting_weights(arrays: Arrays, names: Sequence[str]) -> Figure:
    """DR: risk over context, up to several times the length of training."""
    fig, axes = row(len(names), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        own = part(arrays, name)
        n = np.arange(2, own["excess"].shape[2])
        ax.plot(n, own["bayes"][2:], color="black", lw=1.2, label=REFERENCES["kalman"][0])
        for key, words, dots in (
            ("ridge", REFERENCES["static"][0], "--"),
            ("forget_0.9", REFERENCES["forget_0.9"][0], ":"),
        ):
            if f"line_{key}" in own and (key != "ridge" or name != "placebo"):
                line = own[f"line_{key}"] + own["bayes"]
                ax.plot(n, line[2:], color=GREY, lw=1.2, ls=dots, label=words)
        for arm, excess in zip(own["arms"], own["excess"], strict=True):
            band(ax, n, (excess + own["bayes"])[:, 2:], str(arm))
        trained_until(ax, arrays["length"])
        words = "weights at rest, $a$ = 1" if name == "placebo" else name_of(name)
        ax.set(title=words, xlabel="pairs in context $n$", xlim=(2, n[-1]), ylim=(0.2, 1.3))
    axes[0].set_ylabel("risk (mean squared error)")
    fig.suptitle("Regression on longer contexts than any of training (vertical line)", fontsize=10)
    panels.legend(fig)
    return fig


def control(own: Arrays) -> Figure:
    """ARc: excess over ridge, which is Bayes, by values seen."""
    fig, axes = row(1)
    n = np.arange(1, own["excess"].shape[2])
    for arm, excess in zip(own["arms"], own["excess"], strict=True):
        band(axes[0], n, excess[:, 1:], str(arm))
    for key, words, dots in (("ar4", "ridge on twice the lags", "--"), ("zero", "zero", ":")):
        axes[0].plot(n, own[f"line_{key}"][1:], color=GREY, lw=1.2, ls=dots, label=words)
    axes[0].set(xlabel="values seen", ylabel="excess risk over ridge (= Bayes)", yscale="log")
    axes[0].set(title=name_of("control"), xlim=(1, n[-1]), ylim=(1e-3, None))
    panels.legend(fig, columns=2)
    return fig


def training(arrays: Arrays, names: Sequence[str]) -> Figure:
    """Excess on held-out sequences against training steps, a study a panel."""
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    fig, every = panels.table(max(5.6, 3.5 * columns), 0.9 + 2.7 * rows, rows, columns)
    axes = list(every.flat)
    for ax, name in zip(axes, names, strict=False):
        own = part(arrays, name)
        for arm, valid in zip(own["arms"], own["valid"], strict=True):
            ax.plot(own["steps"], valid.mean(axis=1), lw=1.4, label=title(str(arm)), **look(arm))
        ax.set(xscale="log", yscale="log", title=name_of(name), xlabel="training steps")
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax in axes[::columns]:
        ax.set_ylabel("excess risk")
    panels.legend(fig)
    return fig
