"""Figures of icl_probe, drawn from its arrays alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.arms.figures import band
from feedrun.papers.ssm_icl.style import FAMILIES, look, title
from feedrun.plotting import panels
from feedrun.plotting.style import GREY

Arrays = Mapping[str, np.ndarray]
TARGETS = {
    "signal": "signal $s_t$",
    "filtered": "signal seen $s_{t-1}$",
    "next": "filter's $\\hat y_t$",
    "second": "filter's $\\hat y_{t+1}$",
    "decay": "decay $\\kappa$",
}
PANELS = {
    "lg4": (FAMILIES["lg4"], TARGETS),
    "lg1": (FAMILIES["lg1"], {"state": "raw state $z_t$", "decay": "decay $a$"}),
    "switching": (FAMILIES["switching"], {"belief": "belief over modes"}),
}
GREYS = {"untrained": GREY, "last": "0.8"}


def figures(result: Result) -> dict[str, Any]:
    """All figures of icl_probe by file stem."""
    arrays = result.arrays
    return {
        "share_of_ceiling": share_of_ceiling(arrays),
        "by_position": by_position(arrays),
        "gain": gain(arrays),
    }


def share_of_ceiling(arrays: Arrays) -> Figure:
    """Bars: R^2 of probes over that of the posterior mean, with the controls."""
    widths = [len(targets) for _, targets in PANELS.values()]
    fig, axes = panels.row(10, 4.6, len(PANELS), grid="y", sharey=True, width_ratios=widths)
    for ax, (family, (name, targets)) in zip(axes, PANELS.items(), strict=True):
        _bars(ax, arrays, family, targets)
        ax.axhline(1, color="black", lw=0.9)
        ax.axhline(0.9, color="black", lw=0.9, ls=":")
        ax.set(title=name, ylim=(min(0.0, ax.get_ylim()[0]), 1.12))
    axes[0].set_ylabel("$R^2$ of the probe / $R^2$ of the posterior mean")
    panels.legend(fig)
    fig.suptitle("What linear probes read, of what the sequence tells (line: all; dotted: 0.9)")
    return fig


def _bars(ax: Any, arrays: Arrays, family: str, targets: Mapping[str, str]) -> None:
    """A group a target: arms, the untrained ones (their mean), the last observations."""
    arms = [str(arm) for arm in arrays[f"{family}/arms"]]
    step = 0.8 / (len(arms) + 2)
    for place, target in enumerate(targets):
        ceiling = arrays[f"{family}/bayes/{target}"][0]

        def bar(slot, values, *, place=place, ceiling=ceiling, **style):
            ((mean,), (low,), (high,)) = panels.intervals((values / ceiling)[:, None])
            ax.bar(
                place + slot * step - 0.4 + step / 2,
                mean,
                0.9 * step,
                yerr=[[mean - low], [high - mean]],
                error_kw={"lw": 1},
                **style,
            )

        label = place == 0
        for slot, arm in enumerate(arms):
            style = look(arm)
            solid = style["linestyle"] == "-"
            bar(
                slot,
                arrays[f"{family}/{arm}/{target}"],
                color=style["color"],
                alpha=1.0 if solid else 0.45,
                hatch=None if solid else "///",
                edgecolor="white",
                label=title(arm) if label else None,
            )
        untrained = [arrays[f"{family}/untrained {arm}/{target}"].mean() for arm in arms]
        bar(
            len(arms),
            np.array(untrained),
            color=GREYS["untrained"],
            label="untrained, mean over arms" if label else None,
        )
        bar(
            len(arms) + 1,
            arrays[f"{family}/last/{target}"],
            color=GREYS["last"],
            label=f"last {int(arrays['lags'])} observations" if label else None,
        )
    ax.set_xticks(range(len(targets)), [words.replace(" ", "\n", 1) for words in targets.values()])
    ax.tick_params(axis="x", labelsize=8, length=0)


def by_position(arrays: Arrays) -> Figure:
    """R^2 over observations seen: signal on LG4, raw state on LG4 and LG1, belief on SM."""
    fig, grid = panels.table(10, 6.4, 2, 2)
    axes, shown = (
        grid.ravel(),
        (
            ("lg4", "signal", "LG4: noise-free signal $s_t$ before it is seen"),
            ("lg4", "state", "LG4: raw state $z_t$ (the trap)"),
            ("lg1", "state", "LG1: raw state $z_t$"),
            ("switching", "belief", "SM: belief over modes (share of its nats)"),
        ),
    )
    for ax, (family, target, words) in zip(axes, shown, strict=True):
        _lines(ax, arrays, family, target)
        ax.set(title=words, xlabel="observations seen", ylabel="$R^2$ of the probe")
        ax.title.set_fontsize(10)
    axes[1].set_ylim(-0.1, 0.5)
    panels.legend(fig)
    return fig


def _lines(ax: Any, arrays: Arrays, family: str, target: str) -> None:
    def curve(reader) -> Any:
        return arrays.get(f"{family}/{reader}/{target}/by_position")

    for reader, words, style in (
        ("genie", "knows the task", ":"),
        ("bayes", "posterior mean", "-"),
    ):
        found = curve(reader)
        if found is not None and target != "belief":
            ax.plot(
                np.arange(1, found.shape[1] + 1),
                found[0],
                style,
                color="black",
                lw=1.2,
                label=words,
            )
    for arm in arrays[f"{family}/arms"]:
        values = _usable(curve(str(arm)))
        band(ax, values[0], values[1], str(arm))
    values = _usable(curve("last"))
    ax.plot(
        values[0],
        values[1][0],
        color=GREYS["last"],
        lw=2,
        label=f"last {int(arrays['lags'])} observations",
    )
    arms = [str(arm) for arm in arrays[f"{family}/arms"]]
    untrained = _usable(np.mean([curve(f"untrained {arm}") for arm in arms], axis=0))
    ax.plot(
        untrained[0],
        untrained[1].mean(axis=0),
        color=GREYS["untrained"],
        lw=1.6,
        ls="-.",
        label="untrained, mean over arms",
    )


def _usable(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions at which there is something to explain, and the values there."""
    good = np.isfinite(values).all(axis=0)
    return np.flatnonzero(good) + 1, values[:, good]


def gain(arrays: Arrays) -> Figure:
    """Kalman gain and effective gains over time; influence of the past on the last prediction."""
    fig, (left, right) = panels.row(10, 4.4, 2)
    names = [name.removeprefix("gain/") for name in arrays if name.startswith("gain/")]
    arms = [name for name in names if name not in ("genie", "bayes", "system")]
    n = np.arange(1, arrays["gain/genie"].shape[1] + 1)
    lags = n[:16]
    for name, words, style in (
        ("genie", "Kalman filter, system known", ":"),
        ("bayes", "mixture of filters (Bayes)", "-"),
    ):
        left.plot(n, arrays[f"gain/{name}"][0], style, color="black", lw=1.6, label=words)
        right.plot(lags, arrays[f"influence/{name}"][0][-1 - lags], style, color="black", lw=1.6)
    for arm in arms:
        band(left, n, arrays[f"gain/{arm}"], arm)
        band(right, lags, arrays[f"influence/{arm}"][:, -1 - lags], arm)
    a, r = arrays["gain/system"]
    left.set(
        xlabel="observations seen $t$",
        ylabel="gain $\\partial \\hat y_{t+1}/\\partial y_t$",
        title="Gain on the newest observation",
    )
    right.set(
        xlabel="steps back $k$",
        ylabel="$\\partial \\hat y_{T}/\\partial y_{T-k}$",
        title="Influence of the past on the last prediction",
    )
    fig.suptitle(f"LG1, at sequences of one system: a = {a:g}, r = {r:g}")
    panels.legend(fig)
    return fig
