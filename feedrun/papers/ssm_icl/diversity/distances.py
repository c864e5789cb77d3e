"""How near a network is to two oracles, by the number of tasks it has seen.

Distances are means of (f - m)^2 over sequences and positions.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from feedrun.papers.ssm_icl.arms import evaluation
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet

ORACLES = ("bayes", "prior")
"""The mixture of the library's filters and the full prior's oracle, as references."""

PLACES = ("library", "new")
"""Sequences of systems of the library, and of new systems from the full prior."""


class Distances(NamedTuple):
    """Of one network, by place and oracle, (T,) each: after every number of observations."""

    library_mixture: Float[np.ndarray, "T"]
    library_prior: Float[np.ndarray, "T"]
    new_mixture: Float[np.ndarray, "T"]
    new_prior: Float[np.ndarray, "T"]


def distances(answered: Mapping[str, tuple[EvalSet, Float[np.ndarray, "1 B T 1"]]]) -> Distances:
    """From the evaluation set at each place of PLACES, and what the network answered there."""
    return Distances(
        *(
            evaluation.excess(eval_set, answers, reference).mean(axis=(0, 1))
            for eval_set, answers in (answered[place] for place in PLACES)
            for reference in ORACLES
        )
    )


def crossover(tasks: Sequence[int] | np.ndarray, lead: Float[np.ndarray, "K"]) -> float:
    """log2 of the K from which on the full prior's oracle is the nearer one on new systems.

    lead: distance to the mixture less that to the prior, which rises through 0 there; interpolated
    over log K. -inf where it is positive from the first K on, inf where not even at the last.
    """
    below = np.flatnonzero(np.asarray(lead) <= 0)
    if len(below) == 0:
        return -np.inf
    if (last := int(below[-1])) == len(lead) - 1:
        return np.inf
    left, right = lead[last], lead[last + 1]
    log_k = np.log2(tasks)
    return float(log_k[last] - left / (right - left) * (log_k[last + 1] - log_k[last]))


def summary(
    arm: str, tasks: Sequence[int], found: Float[np.ndarray, "K R 4"]
) -> dict[str, list[float]]:
    """A number a library: distances (positions averaged) by K, differences that claims are about.

    The crossover is left out where a library has none within the K measured.
    """
    by = {name: found[..., at] for at, name in enumerate(Distances._fields)}
    metrics = {
        f"{arm}/tasks_{k}/{name}": rows[at]
        for at, k in enumerate(tasks)
        for name, rows in by.items()
    }
    nearer_prior = lead(found)
    metrics |= {
        f"{arm}/few_library": (by["library_prior"] - by["library_mixture"])[0],
        f"{arm}/few_new": -nearer_prior[0],
        f"{arm}/many_new": nearer_prior[-1],
        f"{arm}/new_improves": by["new_prior"][0] - by["new_prior"][-1],
    }
    crossings = np.array([crossover(tasks, column) for column in nearer_prior.T])
    if np.isfinite(crossings).all():
        metrics[f"{arm}/crossover_log2"] = crossings
    return {name: np.asarray(values, float).tolist() for name, values in metrics.items()}


def lead(found: Float[np.ndarray, "K R 4"]) -> Float[np.ndarray, "K R"]:
    """On new systems, the distance to the mixture less that to the full prior's oracle."""
    names = Distances._fields
    return found[..., names.index("new_mixture")] - found[..., names.index("new_prior")]


def between_arms(metrics: Mapping[str, list[float]], arms: Sequence[str]) -> dict[str, list[float]]:
    """The first arm's crossover less that of every other, library by library."""
    name = "{}/crossover_log2".format
    return {
        f"gap/crossover_log2_{arms[0]}_minus_{arm}": (
            np.array(metrics[name(arms[0])]) - metrics[name(arm)]
        ).tolist()
        for arm in arms[1:]
        if name(arms[0]) in metrics and name(arm) in metrics
    }
