"""The gap matrix of the ablation as effects of its factors.

The ladder of transitions is none (linear attention), fixed (retention), selective (Mamba-2), one
code path; the other factor is the short convolution. An effect is how much a change lowers the
excess at the last position, positive where it helps; see `CONTRASTS`.
"""

from collections.abc import Mapping

import numpy as np

LADDER = ("s_none", "s_fixed", "ssd")
CONV = "+conv"

Weights = Mapping[str, float]


def combined(*parts: tuple[float, Weights]) -> dict[str, float]:
    """A weighted sum of contrasts."""
    names = dict.fromkeys(name for _, part in parts for name in part)
    return {name: sum(scale * part.get(name, 0.0) for scale, part in parts) for name in names}


def lowers(before: str, after: str) -> dict[str, float]:
    """The excess of one arm less that of another."""
    return {before: 1.0, after: -1.0}


def over_conv(before: str, after: str) -> dict[str, float]:
    """A change of the transition, averaged over without and with the convolution."""
    return combined((0.5, lowers(before, after)), (0.5, lowers(before + CONV, after + CONV)))


CONVOLUTION = combined(*((1 / 3, lowers(name, name + CONV)) for name in LADDER))
DECAY, SELECTIVITY = over_conv(*LADDER[:2]), over_conv(*LADDER[1:])

CONTRASTS: Mapping[str, Weights] = {
    "effect/conv": CONVOLUTION,
    "effect/decay": DECAY,
    "effect/selectivity": SELECTIVITY,
    "effect/selectivity_without_conv": lowers("s_fixed", "ssd"),
    "effect/selectivity_with_conv": lowers("s_fixed+conv", "ssd+conv"),
    "effect/conv_by_decay": combined(
        (1.0, lowers("s_fixed", "s_fixed+conv")), (-1.0, lowers("s_none", "s_none+conv"))
    ),
    "effect/conv_by_selectivity": combined(
        (1.0, lowers("ssd", "ssd+conv")), (-1.0, lowers("s_fixed", "s_fixed+conv"))
    ),
    "effect/conv_minus_selectivity": combined((1.0, CONVOLUTION), (-1.0, SELECTIVITY)),
    "effect/conv_minus_transition": combined(
        (1.0, CONVOLUTION), (-1.0, DECAY), (-1.0, SELECTIVITY)
    ),
    "gap/ssd_minus_ssd+conv": lowers("ssd", "ssd+conv"),
    "gap/ssd_minus_s_none+conv": lowers("ssd", "s_none+conv"),
    "gap/ssd_minus_linear+conv+rope": lowers("ssd", "linear+conv+rope"),
    "gap/ssd_minus_s4d": lowers("ssd", "s4d"),
    "gap/s4d+conv_minus_ssd+conv": lowers("s4d+conv", "ssd+conv"),
    "gap/softmax+conv+rope_minus_ssd+conv": lowers("softmax+conv+rope", "ssd+conv"),
}
"""metric -> weight of each arm's excess. The interactions (conv_by_...) are how much more the
convolution lowers the excess of the arm with the ingredient than of the arm without."""

WORDS = {
    "effect/conv": "short convolution",
    "effect/decay": "decay: none to fixed",
    "effect/selectivity": "selectivity: fixed to selective",
    "effect/selectivity_without_conv": "selectivity, without convolution",
    "effect/selectivity_with_conv": "selectivity, with convolution",
    "effect/conv_by_decay": "interaction: conv x decay",
    "effect/conv_by_selectivity": "interaction: conv x selectivity",
}
"""The effects that a figure shows, from the top."""


def effects(cells: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Every contrast whose arms are there, a number a seed; cells: arm -> excess (R,), paired."""
    known = {
        metric: sum(weight * np.asarray(cells[name], float) for name, weight in weights.items())
        for metric, weights in CONTRASTS.items()
        if set(weights) <= set(cells) and len({len(cells[name]) for name in weights}) == 1
    }
    return {metric: np.asarray(values).tolist() for metric, values in known.items()}
