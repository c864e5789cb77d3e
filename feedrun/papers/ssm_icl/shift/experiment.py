"""What does a trained network do on data it was not trained for?

Paper: 2602.17744, Theorem 1 (a trained predictor is Bayes for its training distribution).
Command: feedrun experiment=icl_shift (minutes: see the yaml).
What should come out: on shifted data networks keep to the Bayes predictor of their training prior,
at the regret that this predictor has itself, and are further from the one that knows the shift.
"""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, cast

import jax
import numpy as np
from jaxtyping import Float

from feedrun.experiment import Experiment, Journal, Result, claims_beside, one_of
from feedrun.experiment.metrics import arms_at_an_edge
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.config import ContextConfig, Names
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import BoundArm, Trained
from feedrun.papers.ssm_icl.families import Family, Keys, catalogue
from feedrun.papers.ssm_icl.shift import figures, shifted_families
from feedrun.train.threads import in_threads


class Shifted(ContextConfig):
    """Settings of icl_shift; `at` is of unshifted data."""

    linear_arms: Names
    coloured_arms: Names
    shifts: list[Annotated[str, one_of(shifted_families.SHIFTS, "shift")]]


class ShiftResult(NamedTuple):
    """One arm on one shift; answers are dropped. R seeds, T positions.

    arm_result:  its excess (R, T) is (f - m)^2 to the test oracle m, the regret to it.
    prior:       (R, T), the same to the training oracle.
    over_prior:  (R,), its squared error less the training oracle's, which it may beat.
    """

    arm_result: ArmResult
    prior: Float[np.ndarray, "R T"]
    over_prior: Float[np.ndarray, "R"]


class ShiftResults(NamedTuple):
    """All arms of one family on one shift; `apart` (T,): (m_test - m_prior)^2 of the oracles."""

    eval_set: EvalSet
    arm_results: list[ShiftResult]
    apart: Float[np.ndarray, "T"]


def run(cfg: Shifted, key: jax.Array, journal: Journal) -> Result:
    """Train on LG4 and on CNR, then evaluate every arm on the sets of all shifts."""
    linear_key, coloured_key = jax.random.split(key)
    keys = families.keys(linear_key)
    bank_key, shift_key = jax.random.split(keys.library)
    lg4 = catalogue.lg4(bank_key, bank=cfg.bank)
    linear = shifted_families.linear_shifts(lg4, shift_key, cfg.shifts, bank=cfg.bank)
    by_shift = results_by_shift(cfg, "lg4", linear, cfg.linear_arms, keys, journal)
    journal.progress(1, 2)
    keys = families.keys(coloured_key)
    coloured = shifted_families.coloured_shifts(cfg.shifts)
    by_shift |= results_by_shift(cfg, "coloured", coloured, cfg.coloured_arms, keys, journal)
    return Result(summary(cfg, by_shift), arrays(cfg, by_shift), notes(cfg, by_shift))


def results_by_shift(
    cfg: Shifted,
    source: str,
    tested: dict[str, Family],
    names: Sequence[str],
    keys: Keys,
    journal: Journal,
) -> dict[str, ShiftResults]:
    """Train the arms on tested["unshifted"] and evaluate them on every family of `tested`.

    The unshifted one is called after its source, the others by their own names.
    """
    family = tested["unshifted"]
    valid = evaluation.draw(family, keys.tune, count=cfg.training.valid, length=cfg.length)

    def trained(name: str, journal: Journal) -> tuple[BoundArm, Trained]:
        bound = training.bound(name, family, cfg.network, length=cfg.length)
        found = training.fitted(
            bound, keys, cfg.training, valid, journal, length=cfg.length, over="bayes"
        )
        return bound, found

    arms = in_threads(trained, names, journal.scope(source))
    by_shift = {}
    for name, key in zip(tested, jax.random.split(keys.test, len(tested)), strict=True):
        eval_set = evaluation.draw(tested[name], key, count=cfg.sequences, length=cfg.length)
        by_shift[source if name == "unshifted" else name] = results_on(cfg, eval_set, arms)
    return by_shift


def results_on(
    cfg: Shifted, eval_set: EvalSet, trained: Sequence[tuple[BoundArm, Trained]]
) -> ShiftResults:
    """Every arm on one evaluation set; where the oracles are the same, "bayes" is both."""
    other = "prior" if "prior" in eval_set.references else "bayes"
    arm_results = []
    for bound, found in trained:
        arm_result = results.evaluate(bound, found, eval_set, over="bayes", slab=cfg.training.batch)
        prior = evaluation.excess(eval_set, arm_result.answers, other).mean(axis=1)
        difference = evaluation.risk(eval_set, arm_result.answers) - evaluation.risk(
            eval_set, eval_set.references[other]
        )
        light = arm_result._replace(answers=arm_result.answers[:, :0])
        arm_results.append(ShiftResult(light, prior, difference.mean(axis=(1, 2))))
    apart = evaluation.excess(eval_set, eval_set.references[other], "bayes").mean(axis=0)
    return ShiftResults(eval_set, arm_results, apart)


def toward_test(one: ShiftResult, apart: Float[np.ndarray, "T"]) -> Float[np.ndarray, "R"]:
    """Where the arm stands between the training oracle (0) and the test oracle (1).

    The projection <f - m_prior, m_test - m_prior> / |m_test - m_prior|^2 over all positions; it
    follows from the distances: |f - m_test|^2 = |f - m_prior|^2 + (1 - 2x) |m_test - m_prior|^2.
    Below 1/2 the arm is nearer to the training oracle.
    """
    gap = one.arm_result.excess.sum(axis=1) - one.prior.sum(axis=1)
    return (1 - gap / apart.sum()) / 2


def summary(cfg: Shifted, by_shift: dict[str, ShiftResults]) -> dict[str, Any]:
    """Numbers of every arm as "<shift>/<arm>/...", least gaps, unshifted data's leaks."""
    found: dict[str, Any] = {}
    for name, own in by_shift.items():
        for one in own.arm_results:
            found |= {f"{name}/{k}": v for k, v in measured(cfg, name, own, one).items()}
        if own.apart.any():
            gaps = [
                f.arm_result.excess.mean(axis=1) - f.prior.mean(axis=1) for f in own.arm_results
            ]
            found[f"{name}/gap_test_minus_prior"] = np.min(gaps, axis=0).tolist()
            found[f"{name}/oracles_apart"] = [float(own.apart.mean())]
    usual = [one.arm_result for name in ("lg4", "coloured") for one in by_shift[name].arm_results]
    return found | results.leak_summary(usual)


def measured(
    cfg: Shifted, name: str, own: ShiftResults, one: ShiftResult
) -> dict[str, list[float]]:
    """One arm on one shift: regret to both oracles, and on unshifted data its excess by context."""
    arm = one.arm_result.bound.name
    if name in ("lg4", "coloured"):
        return results.summary(one.arm_result, cfg.at)
    found = {"regret_test": one.arm_result.excess.mean(axis=1), "risk_over_prior": one.over_prior}
    if own.apart.any():
        found |= {"regret_prior": one.prior.mean(axis=1)}
        found |= {"toward_test": toward_test(one, own.apart)}
    return {f"{arm}/{k}": np.asarray(v, float).tolist() for k, v in found.items()}


def arrays(cfg: Shifted, by_shift: dict[str, ShiftResults]) -> dict[str, Any]:
    """By "<shift>.<array>": those of `results.arrays`, prior (A, R, T), apart (T,)."""
    found: dict[str, Any] = {}
    for name, own in by_shift.items():
        arm_results = [one.arm_result for one in own.arm_results]
        part = results.arrays(arm_results, own.eval_set, over="bayes", every=cfg.training.log_every)
        part |= {"prior": np.stack([one.prior for one in own.arm_results]), "apart": own.apart}
        found |= results.of_part(name, part)
    return found


def notes(cfg: Shifted, by_shift: dict[str, ShiftResults]) -> dict[str, Any]:
    """Costs and rates; arms whose rate is at an edge of the grid; what predicting 0 gives."""
    found, chance = {}, {}
    for name, own in by_shift.items():
        zero = np.zeros_like(cast(np.ndarray, own.eval_set.references["bayes"]))
        nothing = evaluation.excess(own.eval_set, zero, "bayes").mean(axis=0)
        metric = {"excess": nothing.mean()} | {f"excess_{n}": nothing[n] for n in cfg.at}
        shifted = {"regret_test": nothing.mean()}
        for one in own.arm_results:
            arm = f"{name}/{one.arm_result.bound.name}"
            given = metric if name in ("lg4", "coloured") else shifted
            chance |= {f"{arm}/{k}": float(v) for k, v in given.items()}
    for name in ("lg4", "coloured"):
        found[name] = results.notes(one.arm_result for one in by_shift[name].arm_results)
    rates = cfg.training.rates
    edges = [arm for part in found for arm in arms_at_an_edge(found[part], rates, part=part)]
    return {**found, "rate_at_an_edge": edges, "chance": chance}


EXPERIMENT = Experiment(
    config=Shifted, run=run, claims=claims_beside(__file__), figures=figures.figures
)
