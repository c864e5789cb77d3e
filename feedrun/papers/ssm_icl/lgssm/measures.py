"""What is read off curves: distance to Bayes, steps to a level, growth with length."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from feedrun.papers.ssm_icl.arms import comparison as comparisons
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.results import ArmResult

PAIRS = (
    ("softmax+conv+rope", "ssd+conv"),
    ("softmax+rope", "ssd+conv"),
    ("linear+rope", "ssd+conv"),
    ("linear+conv+rope", "ssd+conv"),
    ("s4d+conv", "ssd+conv"),
    ("gru", "ssd+conv"),
    ("ssd", "ssd+conv"),
    ("softmax+rope", "softmax+conv+rope"),
    ("linear+rope", "linear+conv+rope"),
    ("softmax+rope", "ssd"),
    ("linear+conv+rope", "ssd"),
)
"""Arms whose excess is compared, the second subtracted from the first."""

RACES = {"conv": ("ssd+conv", "softmax+conv+rope"), "plain": ("ssd", "softmax+rope")}
"""Who is compared in speed: with a short convolution on both sides, and without."""

WINDOW = 8
"""Positions over which both ends of an extrapolation are averaged."""


def gap(excess: Any, bayes: Any, reference: Any) -> Any:
    """(e - e_Bayes) / (e_reference - e_Bayes): 0 is optimal, 1 as good as `reference`."""
    return (excess - bayes) / (reference - bayes)


def milestones(eval_set: EvalSet) -> dict[str, float]:
    """Levels of excess, averaged over positions, whose times are taken.

    half: half of the way from ridge on four lags to Bayes, g = 0.5; ar2 and ar1: as
    good as ridge on two lags and on one, for budgets that do not get so far.
    """
    mean = {n: float(comparisons.line(eval_set, n).mean()) for n in ("bayes", "ar1", "ar2", "ar4")}
    half = (mean["bayes"] + mean["ar4"]) / 2
    return {"half": half, "ar2": mean["ar2"], "ar1": mean["ar1"]}


def steps_to(curves: Float[np.ndarray, "rows R"], level: float, every: int) -> np.ndarray:
    """(R,): steps at which each curve first falls to a level; infinite where it does not.

    Rows are `every` steps apart; between two of them both axes are logarithmic.
    """
    return np.array([_first(curve, level, every) for curve in curves.T])


def _first(curve: np.ndarray, level: float, every: int) -> float:
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return np.inf
    k = int(below[0])
    if k == 0:
        return float(every)
    high, low = np.log(np.maximum(curve[k - 1 : k + 1], 1e-12))
    part = (high - np.log(level)) / (high - low)
    return float(every * k * ((k + 1) / k) ** part)


def speeds(
    arm_results: Mapping[str, ArmResult], levels: Mapping[str, float], every: int
) -> dict[str, list[float]]:
    """ "<arm>/steps_to_<level>" and "speed/<race>_<level>", the first over the second.

    Only where every seed got there: a mean over those that did would flatter.
    """
    steps = {
        (name, word): steps_to(one.trained.curves[:, 1], level, every)
        for name, one in arm_results.items()
        for word, level in levels.items()
    }
    reached = {key: value for key, value in steps.items() if np.isfinite(value).all()}
    summary = {f"{name}/steps_to_{word}": value.tolist() for (name, word), value in reached.items()}
    for race, (first, second) in RACES.items():
        for word in levels:
            if (first, word) in reached and (second, word) in reached:
                ratio = reached[first, word] / reached[second, word]
                summary[f"speed/{race}_{word}"] = ratio.tolist()
    return summary


def differences(arm_results: Mapping[str, ArmResult]) -> dict[str, list[float]]:
    """Excess averaged over positions, one arm less another, seed by seed."""
    return {
        f"gap/{a}_minus_{b}": (arm_results[a].excess - arm_results[b].excess).mean(axis=1).tolist()
        for a, b in PAIRS
        if a in arm_results and b in arm_results
    }


def growth(excess: Float[np.ndarray, "R T"], trained: int) -> list[float]:
    """Excess at the end of a long sequence over that at the end of the trained length."""
    ends = [excess[:, end - WINDOW : end].mean(axis=1) for end in (excess.shape[1], trained)]
    return (ends[0] / ends[1]).tolist()


def price_error(
    trained: Float[np.ndarray, "R T"], bayes: Float[np.ndarray, "T"], at: Sequence[int]
) -> list[float]:
    """Largest relative distance of a price curve n (R - R_genie) / S to the exact one."""
    at = list(at)
    return np.abs(trained[:, at] / bayes[at] - 1).max(axis=1).tolist()
