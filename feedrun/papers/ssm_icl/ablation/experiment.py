"""Which ingredient buys the advantage, selectivity or the short convolution?

Paper: 2602.17744, which credits selectivity.
Command: feedrun experiment=icl_ablation; the whole matrix: feedrun sweep=icl_ablation_matrix
(minutes: see the yaml).
What should come out: at an equal budget, the excess of every transition with and without the
convolution, and how much of it each ingredient takes away.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from pydantic import Field

from feedrun.experiment import Experiment, Journal, Result, claims_beside, one_of
from feedrun.experiment.metrics import alone, arms_at_an_edge
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.ablation import contrasts, figures, sweep_figures
from feedrun.papers.ssm_icl.arms import comparison as comparisons
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.comparison import compare
from feedrun.papers.ssm_icl.arms.config import ContextConfig, Names
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.families import catalogue

SLAB = 64
"""Sequences that an arm is evaluated on at a time."""


class Setting(NamedTuple):
    """A family by its word in the config.

    build(cfg, library_key) -> Family; over: the reference of its excess, exact for the family;
    only: estimators that are drawn beside.
    """

    build: Callable[[Any, Any], families.Family]
    over: str
    only: tuple[str, ...]


SETTINGS = {
    "lg4": Setting(
        lambda cfg, library_key: catalogue.lg4(library_key, bank=cfg.bank), "genie", ("ar4", "zero")
    ),
    "coloured_lag": Setting(
        lambda cfg, _: catalogue.coloured(rho=cfg.rho, tokens="lag"),
        "bayes",
        ("arx_ridge", "ridge", "zero"),
    ),
    "coloured_shift": Setting(
        lambda cfg, _: catalogue.coloured(rho=cfg.rho, tokens="shift"),
        "bayes",
        ("arx_ridge", "ridge", "zero"),
    ),
}
"""On LG4 the excess is over the genie, as Bayes is only bracketed."""


class Ablation(ContextConfig):
    """Settings of icl_ablation; effects are of the last of `at`."""

    family: Annotated[str, one_of(SETTINGS, "family")]
    arms: Names
    rho: Annotated[float, Field(gt=-1, lt=1)]


def run(cfg: Ablation, key: jax.Array, journal: Journal) -> Result:
    """Train every arm on the same data, evaluate all on one set, compare them seed by seed."""
    keys, setting = families.keys(key), SETTINGS[cfg.family]
    family = setting.build(cfg, keys.library)
    comparison = compare(
        family,
        keys,
        cfg.training,
        sequences=cfg.sequences,
        length=cfg.length,
        over=setting.over,
        only=setting.only,
        slab=SLAB,
    )
    arms = [training.bound(name, family, cfg.network, length=cfg.length) for name in cfg.arms]
    arm_results, eval_set = comparisons.arm_results(comparison, arms, journal), comparison.eval_set
    for done, one in enumerate(arm_results):
        journal.log(done + 1, results.summary(one, cfg.at))
    return Result(
        summary(cfg, arm_results),
        arrays(cfg, arm_results, eval_set),
        notes(cfg, arm_results, eval_set),
    )


def cells(arm_results: list[ArmResult], last: int) -> dict[str, np.ndarray]:
    """The gap matrix: arm -> excess (R,) after `last` observations."""
    return {one.bound.name: one.excess[:, last] for one in arm_results}


def summary(cfg: Ablation, arm_results: list[ArmResult]) -> dict[str, Any]:
    """Excess and slope of every arm, effects of the ingredients, leaks.

    A run of one arm (a cell of a sweep) also has its metrics without the arm's name.
    """
    found: dict[str, Any] = {}
    for one in arm_results:
        found |= results.summary(one, cfg.at)
    found |= alone(found, cfg.arms)
    found |= contrasts.effects(cells(arm_results, cfg.at[-1]))
    return found | results.leak_summary(arm_results)


def arrays(
    cfg: Ablation, arm_results: list[ArmResult], eval_set: evaluation.EvalSet
) -> dict[str, Any]:
    """What the figures are drawn from; `mark` tells eval sets apart, for pairing over runs."""
    over, every = SETTINGS[cfg.family].over, cfg.training.log_every
    return results.arrays(arm_results, eval_set, over=over, every=every) | {
        "family": np.array(cfg.family),
        "last": np.array(cfg.at[-1]),
        "mark": np.asarray(eval_set.batch.targets).sum(dtype=float),
    }


def notes(
    cfg: Ablation, arm_results: list[ArmResult], eval_set: evaluation.EvalSet
) -> dict[str, Any]:
    """Costs and rates; arms whose rate is the grid's least or greatest; what guessing 0 gives."""
    setting, noted = SETTINGS[cfg.family], results.notes(arm_results)
    zero = evaluation.excess(eval_set, eval_set.references["zero"], setting.over).mean(axis=0)
    names = [*cfg.arms, *([""] if len(arm_results) == 1 else [])]
    return {
        **noted,
        "rate_at_an_edge": arms_at_an_edge(noted, cfg.training.rates),
        "chance": {
            f"{name}/excess_{n}".removeprefix("/"): float(zero[n]) for name in names for n in cfg.at
        },
    }


EXPERIMENT = Experiment(
    config=Ablation,
    run=run,
    claims=claims_beside(__file__),
    figures=figures.figures,
    reduce=sweep_figures.sweep_figures,
)
