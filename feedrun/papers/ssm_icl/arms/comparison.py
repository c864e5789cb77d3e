"""A family with its held-out sequences: where arms are trained and marked."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from feedrun.experiment import Journal
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.evaluation import Exam
from feedrun.papers.ssm_icl.arms.results import Standing
from feedrun.papers.ssm_icl.arms.training import Learner, Training
from feedrun.papers.ssm_icl.families import Family, Keys, scores
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.train.threads import in_threads

OVER = "genie"
"""What excess is over: the filter that knows the system, exact for every family here."""


class Stage(NamedTuple):
    """valid: of keys.tune, for rates and progress; exam: of keys.test, for what is reported."""

    family: Family
    keys: Keys
    training: Training
    length: int
    valid: Exam
    exam: Exam


def build(
    family: Family,
    keys: Keys,
    training: Training,
    *,
    sequences: int,
    length: int,
    only: Collection[str] = (),
) -> Stage:
    """Draw both exams, with the estimators in `only` beside the genie and Bayes."""
    tune, test = jax.random.clone(keys.tune), jax.random.clone(keys.test)
    valid = evaluation.draw(family, tune, count=training.valid, length=length, only=only)
    exam = evaluation.draw(family, test, count=sequences, length=length, only=only)
    return Stage(family, keys, training, length, valid, exam)


def standing(stage: Stage, learner: Learner, journal: Journal) -> Standing:
    """Train an arm on the stage and let it sit the exam."""
    trained = training.fitted(
        learner, stage.keys, stage.training, stage.valid, journal, length=stage.length, over=OVER
    )
    return results.stand(learner, trained, stage.exam, over=OVER, slab=stage.training.batch)


def everyone(
    stage: Stage, arms: Sequence[Learner], journal: Journal, *, counted: str = "arms"
) -> list[Standing]:
    """The standings of several arms, side by side on host CPUs."""
    return in_threads(lambda one, own: standing(stage, one, own), arms, journal, counted=counted)


def line(exam: Exam, name: str) -> Float[np.ndarray, "T"]:
    """Excess of a reference over the genie."""
    return evaluation.excess(exam, exam.references[name], OVER).mean(axis=0)


def variances(exam: Exam) -> Float[np.ndarray, "B T"]:
    """Risk of the genie at every position, exact: the filter's own variance."""
    return np.asarray(jax.jit(lambda batch: oracles.kalman_rows(batch).var[:, 0].T)(exam.batch))


def over_bayes(everyone: Collection[Standing], exam: Exam) -> float:
    """Least z over arms and seeds of the risk above the Bayes predictor's, or its bank's."""
    bayes = evaluation.risk(exam, exam.references["bayes"])
    risks: list[Any] = [own for one in everyone for own in evaluation.risk(exam, one.answers)]
    return min(scores.floor(own, bayes).average for own in risks)
