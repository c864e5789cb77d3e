"""How near do trained arms come to Bayes on linear-Gaussian systems, how fast, and what helps?

Paper: 2602.17744, Theorem 1 and its first experiment.
Command: feedrun experiment=icl_lgssm (minutes: see the yaml).
What should come out: with a short convolution all arms learn alike, without one none does; a filter
without selection suffices where the system is known; real poles cannot follow a turning state.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from feedrun.experiment import Experiment, Journal, Result, claims_beside
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import comparison as comparisons
from feedrun.papers.ssm_icl.arms import results, training
from feedrun.papers.ssm_icl.arms.comparison import compare
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.families import Family, Keys, catalogue
from feedrun.papers.ssm_icl.lgssm import figures, measures, parts, sweep_figures
from feedrun.papers.ssm_icl.lgssm.config import END, PARTS, Lgssm
from feedrun.train.threads import in_threads

AT = (1, 3, 7, 15, 31, 63, 127, 255)
"""Observations after which excess is reported."""

LINES = ("ar1", "ar2", "ar4")
"""Estimators beside the genie and Bayes."""

ALONE: Mapping[str, Callable[..., parts.Found]] = {
    "poles": parts.poles,
    "exact": parts.exact,
    "order_blind": parts.order_blind,
    "known": parts.known,
}
"""Parts that need nothing of the main comparison nor of each other, the longest first."""


def run(cfg: Lgssm, key: jax.Array, journal: Journal) -> Result:
    """The main comparison, then the parts, each with a key and a scope of its own."""
    own_keys = jax.random.split(key, 1 + len(PARTS))
    split: dict[str, Any] = dict(zip(("main", *PARTS), own_keys, strict=True))
    keys = families.keys(split["main"])
    comparison = compare(
        family(cfg, keys),
        keys,
        cfg.training,
        sequences=cfg.sequences,
        length=cfg.length,
        only=LINES,
        tuned_by=LINES,
    )
    arms = [training.bound(n, comparison.family, cfg.network, length=cfg.length) for n in cfg.arms]
    main = dict(zip(cfg.arms, comparisons.arm_results(comparison, arms, journal), strict=True))
    summary, arrays = compared(cfg, comparison, main)
    groups: dict[str, list[ArmResult]] = {"main": list(main.values())}
    if "stretched" in cfg.parts:
        _add(summary, arrays, *parts.stretched(cfg, comparison, main, split["stretched"], journal))
    if "states" in cfg.parts:
        *found, groups["states"] = parts.states(cfg, comparison, main, journal)
        _add(summary, arrays, *found)
    alone = [name for name in ALONE if name in cfg.parts]
    apart = in_threads(
        lambda p, own: ALONE[p](cfg, split[p], own.scope(p)), alone, journal, counted="parts"
    )
    for part, (*found, group) in zip(alone, apart, strict=True):
        groups[part] = group
        _add(summary, arrays, *found)
    summary |= results.leak_summary(one for group in groups.values() for one in group)
    if len(main) == 1:
        prefix = f"{cfg.arms[0]}/"
        summary |= {k.removeprefix(prefix): v for k, v in summary.items() if k.startswith(prefix)}
    known = {part: notes(group) for part, group in groups.items()}
    return Result(summary, arrays, known | {"chance": chance(summary, comparison)})


def family(cfg: Lgssm, keys: Keys) -> Family:
    """The main family, built once."""
    key = jax.random.clone(keys.library)
    if cfg.family == "lg4":
        return catalogue.lg4(key, bank=cfg.bank)
    if cfg.family == "lg4_finite":
        return catalogue.lg4_finite(key, tasks=cfg.tasks)
    return catalogue.lg1()


def compared(
    cfg: Lgssm, comparison: comparisons.Comparison, main: Mapping[str, ArmResult]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Summary and arrays of the main comparison: excess, gap to Bayes, speed, differences."""
    at = [n for n in AT if n < cfg.length]
    bayes, ar4 = (comparisons.line(comparison.eval_set, name) for name in ("bayes", "ar4"))
    summary: dict[str, Any] = {}
    for name, one in main.items():
        summary |= results.summary(one, at)
        gap = measures.gap(one.excess.mean(axis=1), bayes.mean(), ar4.mean())
        summary[f"{name}/gap"] = gap.tolist()
    levels = measures.milestones(comparison.valid)
    summary |= measures.differences(main)
    summary |= measures.speeds(main, levels, cfg.training.log_every)
    summary["bayes_excess"], summary["ar4_excess"] = float(bayes.mean()), float(ar4.mean())
    summary["below_bayes_z"] = comparisons.over_bayes(main.values(), comparison.eval_set)
    if cfg.family == "lg4" and training.REFERENCE in main:
        summary["lg4/end"] = main[training.REFERENCE].excess[:, min(END, cfg.length - 1)].tolist()
    arm_results = list(main.values())
    arrays = results.arrays(
        arm_results, comparison.eval_set, over=comparisons.OVER, every=cfg.training.log_every
    )
    costs = [training.cost(one.bound) for one in arm_results]
    arrays |= {"state": np.array([cost["state"] for cost in costs])}
    arrays |= {"genie_risk": comparisons.variances(comparison.eval_set).mean(axis=0)}
    levels |= {"bayes": float(comparisons.line(comparison.valid, "bayes").mean())}
    arrays |= {f"level_{name}": np.array(level) for name, level in levels.items()}
    return summary, arrays


def chance(summary: Mapping[str, Any], comparison: comparisons.Comparison) -> dict[str, float]:
    """Of every excess of the main comparison what answering 0, the prior's mean, would have."""
    zero = (comparison.eval_set.references["genie"] ** 2).sum(axis=-1).mean(axis=0)
    levels = {f"excess_{n}": zero[n] for n in AT if n < len(zero)} | {"excess": zero.mean()}
    words = {name: name.split("/")[-1] for name in summary if not name.startswith("states_")}
    return {name: float(levels[word]) for name, word in words.items() if word in levels}


def notes(arm_results: Iterable[ArmResult]) -> dict[str, Any]:
    """What each arm has and costs, its trials, and whether the best rate is at the grid's edge."""
    found = results.notes(arm_results)
    edges = {name: (min(t), max(t)) for name, own in found.items() for t in [_rates(own)]}
    return {name: {**own, "at_edge": own["rate"] in edges[name]} for name, own in found.items()}


def _rates(own: Mapping[str, Any]) -> list[float]:
    return [float(rate) for rate in own["trials"]]


def _add(summary: dict[str, Any], arrays: dict[str, Any], *found: dict[str, Any]) -> None:
    """Take in what a part has found."""
    summary |= found[0]
    arrays |= found[1]


EXPERIMENT = Experiment(
    config=Lgssm,
    run=run,
    claims=claims_beside(__file__),
    figures=figures.figures,
    reduce=sweep_figures.sweep_figures,
)
