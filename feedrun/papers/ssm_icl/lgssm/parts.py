"""Parts of icl_lgssm: small trainings that each answer one question beside the main comparison.

Each returns (summary, arrays, results), the results for the leak detector.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from feedrun.experiment import Journal
from feedrun.models import arms
from feedrun.models.linear_rnn import bare
from feedrun.papers.ssm_icl import families, theory
from feedrun.papers.ssm_icl.arms import comparison as comparisons
from feedrun.papers.ssm_icl.arms import evaluation, training
from feedrun.papers.ssm_icl.arms.comparison import compare
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.families import Family, catalogue, linear_gaussian
from feedrun.papers.ssm_icl.lgssm import measures
from feedrun.papers.ssm_icl.lgssm.config import END, FIRST, Lgssm
from feedrun.train.threads import in_threads

Found = tuple[dict[str, Any], dict[str, np.ndarray], list[ArmResult]]

PRICED = (8, 16, 32, 63)
"""Observations at which the price of not knowing the task is compared (n <= 64)."""

LIBRARY = 16
"""Systems of the finite set."""

KNOWN = ("ssd+conv", "s4d+conv")
"""Who predicts a system that never changes: with decays that follow the input, and without."""

BLIND = ("linear", "linear+conv", "linear+rope")
"""One layer of linear attention that does not see the order, and what shows it the order."""

SETTLED = 16
"""Observations after which the rotation's filter is steady (n >= 16)."""

BARE: Mapping[str, dict[str, Any]] = {
    "complex": {"poles": "complex", "states": 2},
    "real": {"poles": "real", "states": 2},
    "more": {"poles": "real", "states": 8},
    "conv": {"poles": "real", "states": 2, "conv": True},
    "layers": {"poles": "real", "states": 2, "layers": 2},
}
"""Bare recurrences that follow the rotation, or cannot."""


def stretched(
    cfg: Lgssm,
    comparison: comparisons.Comparison,
    arm_results: Mapping[str, ArmResult],
    key: Any,
    journal: Journal,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The main networks on longer sequences; learned positions end with the training."""
    longer = cfg.length * cfg.stretched.times
    family = comparison.family._replace(
        bayes=None
    )  # a bank does not converge over so many positions
    eval_set = evaluation.draw(
        family, key, count=cfg.stretched.sequences, length=longer, only=("ar4",)
    )
    able = {name: one for name, one in arm_results.items() if "learned" not in name}

    def answered(one: ArmResult, _: Journal) -> np.ndarray:
        given = training.answers(one.bound, one.trained.params, eval_set, slab=cfg.training.batch)
        return evaluation.excess(eval_set, given, comparisons.OVER).mean(axis=1)

    answers = in_threads(answered, list(able.values()), journal, counted="stretched")
    excess = dict(zip(able, answers, strict=True))
    growth = {f"{n}/stretched": measures.growth(e, cfg.length) for n, e in excess.items()}
    return growth, {
        "stretched_arms": np.array(list(able)),
        "stretched_excess": np.stack(answers),
        "stretched_ar4": comparisons.line(eval_set, "ar4"),
        "trained_length": np.array(cfg.length),
    }


def states(
    cfg: Lgssm,
    comparison: comparisons.Comparison,
    arm_results: Mapping[str, ArmResult],
    journal: Journal,
) -> Found:
    """The reference arm with smaller and larger states, all else equal."""
    family, sized = comparison.family, []
    for count in cfg.states:
        network = cfg.network.model_copy(update={"states": count})
        room = training.sizes(network, cfg.length)
        arm = arms.build(training.REFERENCE, room, features=family.inputs, outputs=family.outputs)
        sized.append(training.of_arm(f"states_{count}", arm, family))
    ladder = comparisons.arm_results(comparison, sized, journal, counted="states")
    own = [arm_results[training.REFERENCE]] if training.REFERENCE in arm_results else []
    sizes = {id(one): arms.state_size(one.bound.arm) for one in [*ladder, *own]}
    rungs = sorted([*ladder, *own], key=lambda one: sizes[id(one)])
    summary = {
        f"states_{count}/excess": one.excess.mean(axis=1).tolist()
        for count, one in zip(cfg.states, ladder, strict=True)
    }
    return (
        summary,
        {
            "ladder_states": np.array([sizes[id(one)] for one in rungs]),
            "ladder_excess": np.stack([one.excess for one in rungs]),
        },
        ladder,
    )


def exact(cfg: Lgssm, key: Any, journal: Journal) -> Found:
    """The reference arm where Bayes is exact: 16 frozen systems of LG4, and LG1."""
    keys = [families.keys(k) for k in jax.random.split(key)]
    finite = catalogue.lg4_finite(jax.random.clone(keys[0].library), tasks=LIBRARY)
    named = [("finite", finite, keys[0]), ("lg1", catalogue.lg1(), keys[1])]

    def evaluated(one: tuple[str, Family, families.Keys], journal: Journal) -> Found:
        name, family, own = one
        comparison = compare(family, own, cfg.exact, sequences=cfg.sequences, length=cfg.length)
        bound = training.bound(training.REFERENCE, family, cfg.network, length=cfg.length)
        found = comparisons.arm_result(comparison, bound._replace(name=name), journal)
        curves = {
            f"{name}_excess": found.excess,
            f"{name}_bayes": comparisons.line(comparison.eval_set, "bayes"),
        }
        return _against_mixture(name, found, comparison), curves, [found]

    (summary, arrays, finite_one), (more, others, lg1_one) = in_threads(evaluated, named, journal)
    return summary | more, arrays | others, [*finite_one, *lg1_one]


def _against_mixture(
    name: str, one: ArmResult, comparison: comparisons.Comparison
) -> dict[str, Any]:
    """Excess over the exact mixture at END, the slope, and how far the price curve is off."""
    S, eval_set = comparisons.variances(comparison.eval_set), comparison.eval_set
    end = min(END, S.shape[1] - 1)
    over = evaluation.excess(eval_set, one.answers, "bayes").mean(axis=1)[:, end]
    price = (evaluation.excess(eval_set, one.answers, comparisons.OVER) / S[None]).mean(axis=1)
    bayes = (evaluation.excess(eval_set, eval_set.references["bayes"], comparisons.OVER) / S).mean(
        axis=0
    )
    at = [n for n in PRICED if n < price.shape[1]]
    summary: dict[str, Any] = {
        f"{name}/over_mixture": over.tolist(),
        f"{name}/below_bayes_z": comparisons.over_bayes([one], eval_set),
    }
    if name == "lg1":
        summary["lg1/price_error"] = measures.price_error(price, bayes, at)
    slope = one.trained.slope
    return summary | ({f"{name}/slope": slope.tolist()} if np.isfinite(slope).all() else {})


def known(cfg: Lgssm, key: Any, journal: Journal) -> Found:
    """One frozen system of LG4, so nothing is to be inferred but the state."""
    keys = families.keys(key)
    family = catalogue.lg4_finite(jax.random.clone(keys.library), tasks=1)
    _, arm_results = _compared(cfg, cfg.known, family, keys, KNOWN, journal)
    difference = arm_results[0].excess - arm_results[1].excess
    late = difference[:, FIRST:]
    summary = {
        "known/selective_minus_invariant": late.mean(axis=1).tolist(),
        "known/largest_difference": np.abs(late).max(axis=1).tolist(),
    } | _ends("known", arm_results)
    return summary, _curves("known", arm_results), arm_results


def order_blind(cfg: Lgssm, key: Any, journal: Journal) -> Found:
    """One system of LG1, one layer of linear attention with and without sight of order."""
    a, r = 0.9, 1.0
    family = catalogue.of_tasks(linear_gaussian.scalar(a=a, r=r))
    comparison, arm_results = _compared(
        cfg, cfg.order_blind, family, families.keys(key), BLIND, journal
    )
    S = comparisons.variances(comparison.eval_set).mean(axis=0)
    n = min(60, cfg.length - 1)
    context = np.arange(2, cfg.length)
    floor = [theory.order_blind_risk(int(k), a=a, r=r, last=True) for k in context]
    summary = {
        f"order_blind/{one.bound.name}": (S[n] + one.excess[:, n]).tolist() for one in arm_results
    }
    curves = _curves("order_blind", arm_results)
    return summary, curves | {"order_blind_floor": np.array(floor) - S[2:]}, arm_results


def poles(cfg: Lgssm, key: Any, journal: Journal) -> Found:
    """A system whose filter turns, predicted by bare recurrences."""
    tasks = linear_gaussian.rotation()
    family = catalogue.of_tasks(tasks)
    comparison = compare(
        family, families.keys(key), cfg.poles, sequences=cfg.sequences, length=cfg.length
    )
    made = [
        training.of_arm(name, bare(**kind, features=family.inputs), family)
        for name, kind in BARE.items()
    ]
    arm_results = comparisons.arm_results(comparison, made, journal)
    settled = min(SETTLED, cfg.length // 2)
    late = {one.bound.name: one.excess[:, settled:].mean(axis=1) for one in arm_results}
    summary: dict[str, Any] = {f"poles/{name}": value.tolist() for name, value in late.items()}
    for name in ("more", "conv", "layers"):
        summary[f"poles/{name}_shrinks"] = (1 - late[name] / late["real"]).tolist()
    gamma = np.asarray(theory.autocovariances(tasks, lags=cfg.length), float)[:, 0]
    summary["poles/real_limit"] = theory.best_real_pair(gamma)
    return summary, _curves("poles", arm_results), arm_results


def _compared(cfg: Lgssm, part, family, keys, names, journal: Journal):
    """The stage, and these arms on it with the part's sizes and budget."""
    comparison = compare(family, keys, part.training, sequences=cfg.sequences, length=cfg.length)
    made = [training.bound(n, family, part.network, length=cfg.length) for n in names]
    return comparison, comparisons.arm_results(comparison, made, journal)


def _curves(part: str, arm_results: list[ArmResult]) -> dict[str, np.ndarray]:
    return {
        f"{part}_arms": np.array([one.bound.name for one in arm_results]),
        f"{part}_excess": np.stack([one.excess for one in arm_results]),
    }


def _ends(part: str, arm_results: list[ArmResult]) -> dict[str, list[float]]:
    """Excess after the last observation by arm."""
    return {f"{part}/{one.bound.name}": one.excess[:, -1].tolist() for one in arm_results}
