"""Arms compared on one family: the same data, rates tuned alike, one evaluation set for all."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from feedrun.experiment import Journal
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import BoundArm, Training
from feedrun.papers.ssm_icl.families import Family, Keys, scores
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.train.threads import in_threads

OVER = "genie"
"""What excess is over where nothing else is said: the filter that knows the system."""


class Comparison(NamedTuple):
    """Arms on one family: what they train on, choose rates by and are evaluated on.

    length: targets a sequence in training; over: the reference that excess is over; valid: of
    keys.tune, for rates and progress; eval_set: of keys.test, for what is reported; slab:
    sequences of it that an arm sees at a time.
    """

    family: Family
    keys: Keys
    training: Training
    length: int
    over: str
    valid: EvalSet
    eval_set: EvalSet
    slab: int


def compare(
    family: Family,
    keys: Keys,
    training: Training,
    *,
    sequences: int,
    length: int,
    over: str = OVER,
    only: Collection[str] | None = (),
    tuned_by: Collection[str] = (),
    tested_on: Family | None = None,
    test_length: int | None = None,
    slab: int | None = None,
) -> Comparison:
    """Draw both evaluation sets of a comparison; `keys` are not used up and may serve again.

    only: estimators evaluated beside the genie and Bayes (all where None); tuned_by: the same on
    the validation set; tested_on, test_length: where evaluation is on another family, or on longer
    sequences, than training; slab: a batch of training unless given.
    """
    tune, test = jax.random.clone(keys.tune), jax.random.clone(keys.test)
    valid = evaluation.draw(family, tune, count=training.valid, length=length, only=tuned_by)
    eval_set = evaluation.draw(
        tested_on or family, test, count=sequences, length=test_length or length, only=only
    )
    slab = slab or training.batch
    return Comparison(family, keys, training, length, over, valid, eval_set, slab)


def arm_result(comparison: Comparison, bound: BoundArm, journal: Journal) -> ArmResult:
    """Train an arm, its rate tuned, and evaluate it."""
    trained = training.fitted(
        bound,
        comparison.keys,
        comparison.training,
        comparison.valid,
        journal,
        length=comparison.length,
        over=comparison.over,
    )
    return results.evaluate(
        bound, trained, comparison.eval_set, over=comparison.over, slab=comparison.slab
    )


def arm_results(
    comparison: Comparison,
    arms: Sequence[BoundArm],
    journal: Journal,
    *,
    counted: str = "arms",
    then: Callable[[ArmResult], Any] = lambda arm_result: arm_result,
) -> list[Any]:
    """`then` of the result of each arm, side by side on host CPUs; the results themselves at first.

    `then` can take from a result what is to be kept of its answers.
    """

    def one(bound: BoundArm, journal: Journal) -> Any:
        return then(arm_result(comparison, bound, journal))

    return in_threads(one, arms, journal, counted=counted)


def line(eval_set: EvalSet, name: str) -> Float[np.ndarray, "T"]:
    """Excess of a reference over the genie."""
    return evaluation.excess(eval_set, eval_set.references[name], OVER).mean(axis=0)


def variances(eval_set: EvalSet) -> Float[np.ndarray, "B T"]:
    """Risk of the genie at every position, exact: the filter's own variance."""
    return np.asarray(jax.jit(lambda batch: oracles.kalman_rows(batch).var[:, 0].T)(eval_set.batch))


def over_bayes(arm_results: Collection[ArmResult], eval_set: EvalSet) -> float:
    """Least z over arms and seeds of the risk above the Bayes predictor's, or its bank's."""
    bayes = evaluation.risk(eval_set, eval_set.references["bayes"])
    risks: list[Any] = [
        own for one in arm_results for own in evaluation.risk(eval_set, one.answers)
    ]
    return min(scores.floor(own, bayes).average for own in risks)
