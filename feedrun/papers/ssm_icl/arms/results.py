"""What every experiment with trained arms reports: excess by context, cost, convergence, leaks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from feedrun.papers.ssm_icl.arms import evaluation, training
from feedrun.papers.ssm_icl.arms.evaluation import Exam
from feedrun.papers.ssm_icl.arms.training import Learner, Trained


class Standing(NamedTuple):
    """One arm after an exam: answers (R, B, T, O), excess (R, T) over the reference, its leaks."""

    learner: Learner
    trained: Trained
    answers: np.ndarray
    excess: np.ndarray
    leaks: list[Any]


def stand(learner: Learner, trained: Trained, exam: Exam, *, over: str, slab: int = 64) -> Standing:
    """Let an arm's networks sit the exam."""
    given = training.answers(learner, trained.params, exam, slab=slab)
    excess = evaluation.excess(exam, given, over).mean(axis=1)
    return Standing(learner, trained, given, excess, evaluation.leaks(exam, given))


def summary(standing: Standing, at: Sequence[int]) -> dict[str, list[float]]:
    """A number a seed, by metric: "<arm>/excess_<n>" after n observations, its mean, the slope."""
    own = {f"excess_{n}": standing.excess[:, n] for n in at}
    own |= {"excess": standing.excess.mean(axis=1), "slope": standing.trained.slope}
    return {
        f"{standing.learner.name}/{name}": np.asarray(value, float).tolist()
        for name, value in own.items()
        if np.isfinite(value).all()
    }


def leak_summary(everyone: Iterable[Standing]) -> dict[str, float]:
    """The leak detector that ends every experiment: its metrics, the least z of any arm."""
    found = [floor for one in everyone for floor in one.leaks]
    return {
        "leak_z": min(floor.average for floor in found),
        "leak_position_z": min(floor.lowest for floor in found),
    }


def arrays(everyone: Sequence[Standing], exam: Exam, *, over: str, every: int) -> dict[str, Any]:
    """For the figures, A arms: arms (A,), excess (A, R, T), valid (A, rows, R), steps (rows,).

    line_<name> (T,): the excess of each reference but `over` itself.
    """
    valid = np.stack([one.trained.curves[:, 1] for one in everyone])
    lines = {
        f"line_{name}": evaluation.excess(exam, guess, over).mean(axis=0)
        for name, guess in exam.references.items()
        if name not in (over, "genie")
    }
    return {
        "arms": np.array([one.learner.name for one in everyone]),
        "excess": np.stack([one.excess for one in everyone]),
        "valid": valid,
        "steps": every * np.arange(1, valid.shape[1] + 1),
        **lines,
    }


def notes(everyone: Iterable[Standing]) -> dict[str, Mapping[str, Any]]:
    """By arm: parameters, state, FLOPs of a step, the rate chosen and what each trial gave."""
    return {
        one.learner.name: {
            **training.cost(one.learner),
            "rate": one.trained.rate,
            "trials": {f"{rate:g}": score for rate, score in one.trained.trials.items()},
        }
        for one in everyone
    }


def at_an_edge(noted: Mapping[str, Mapping[str, Any]], rates: Sequence[float]) -> list[str]:
    """Arms (as `notes` has them) whose rate is the least or the greatest of those tried."""
    return [name for name, own in noted.items() if own["rate"] in (min(rates), max(rates))]


def parts_at_an_edge(parts: Mapping[str, Mapping[str, Any]], rates: Sequence[float]) -> list[str]:
    """The same of several parts' notes, as "<part>/<arm>"."""
    return [f"{part}/{name}" for part, own in parts.items() for name in at_an_edge(own, rates)]


def of_part(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of one part of an experiment as "<part>.<array>"; see `figures.part`."""
    return {f"{name}.{key}": value for key, value in own.items()}
