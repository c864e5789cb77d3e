"""What every experiment with trained arms reports: excess by context, cost, convergence, leaks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from feedrun.papers.ssm_icl.arms import evaluation, training
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.training import BoundArm, Trained


class ArmResult(NamedTuple):
    """One arm evaluated: answers (R, B, T, O), excess (R, T) over the reference, its leaks."""

    bound: BoundArm
    trained: Trained
    answers: np.ndarray
    excess: np.ndarray
    leaks: list[Any]


def evaluate(
    bound: BoundArm, trained: Trained, eval_set: EvalSet, *, over: str, slab: int = 64
) -> ArmResult:
    """Let an arm's networks be evaluated."""
    given = training.answers(bound, trained.params, eval_set, slab=slab)
    excess = evaluation.excess(eval_set, given, over).mean(axis=1)
    return ArmResult(bound, trained, given, excess, evaluation.leaks(eval_set, given))


def summary(arm_result: ArmResult, at: Sequence[int]) -> dict[str, list[float]]:
    """A number a seed, by metric: "<arm>/excess_<n>" after n observations, its mean, the slope."""
    own = {f"excess_{n}": arm_result.excess[:, n] for n in at}
    own |= {"excess": arm_result.excess.mean(axis=1), "slope": arm_result.trained.slope}
    return {
        f"{arm_result.bound.name}/{name}": np.asarray(value, float).tolist()
        for name, value in own.items()
        if np.isfinite(value).all()
    }


def leak_summary(arm_results: Iterable[ArmResult]) -> dict[str, float]:
    """The leak detector that ends every experiment: its metrics, the least z of any arm."""
    found = [floor for one in arm_results for floor in one.leaks]
    return {
        "leak_z": min(floor.average for floor in found),
        "leak_position_z": min(floor.lowest for floor in found),
    }


def arrays(
    arm_results: Sequence[ArmResult], eval_set: EvalSet, *, over: str, every: int
) -> dict[str, Any]:
    """For the figures, A arms: arms (A,), excess (A, R, T), valid (A, rows, R), steps (rows,).

    line_<name> (T,): the excess of each reference but `over` itself.
    """
    valid = np.stack([one.trained.curves[:, 1] for one in arm_results])
    lines = {
        f"line_{name}": evaluation.excess(eval_set, guess, over).mean(axis=0)
        for name, guess in eval_set.references.items()
        if name not in (over, "genie")
    }
    return {
        "arms": np.array([one.bound.name for one in arm_results]),
        "excess": np.stack([one.excess for one in arm_results]),
        "valid": valid,
        "steps": every * np.arange(1, valid.shape[1] + 1),
        **lines,
    }


def notes(arm_results: Iterable[ArmResult]) -> dict[str, Mapping[str, Any]]:
    """By arm: parameters, state, FLOPs of a step, the rate chosen and what each trial gave."""
    return {
        one.bound.name: {
            **training.cost(one.bound),
            "rate": one.trained.rate,
            "trials": {f"{rate:g}": score for rate, score in one.trained.trials.items()},
        }
        for one in arm_results
    }


def of_part(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of one part of an experiment as "<part>.<array>"; see `figures.part`."""
    return {f"{name}.{key}": value for key, value in own.items()}
