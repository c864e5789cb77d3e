"""What icl_noise repeats: a family, the one its arms are evaluated on, and the risks known of both.

coloured   CNR at rho = 0.9, all lags in the token      the separation
shifted    the same, x_{t-1} to be paired with y_{t-1}  does the token's format decide?
placebo    CNR at rho = 0, that is DR at a = 1          nothing for lags to see
mixed      CNR, rho unknown; evaluated at several rho
drifting_<a>  DR
control    ARc: ridge is Bayes
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from feedrun.experiment import Journal
from feedrun.papers.ssm_icl.arms import evaluation
from feedrun.papers.ssm_icl.arms.comparison import arm_results, compare
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import BoundArm, Training
from feedrun.papers.ssm_icl.families import Batch, Family, Keys, Predictor, catalogue, regression
from feedrun.papers.ssm_icl.families import regression_oracles as exact
from feedrun.papers.ssm_icl.families.regression import AR_DEVIATION, NOISE

RHO = 0.9
"""Correlation of the noise in `coloured` and `shifted`."""


class Floors(NamedTuple):
    """Risks of the Bayes predictor and of the best proper one (ŵ.x with ŵ from the context).

    (B, T), exact for each sequence's regressors; `proper` is averaged over the next one as well.
    Without correlation in the noise it is another average of the Bayes risk.
    """

    bayes: Float[np.ndarray, "B T"]
    proper: Float[np.ndarray, "B T"]


class Study(NamedTuple):
    """A family to train on, and the evaluation set: of `test_family`, `length` targets long.

    only: estimators shown as lines.
    """

    name: str
    family: Family
    test_family: Family
    length: int
    only: tuple[str, ...]
    floors: Callable[[Batch], Floors]


class StudyResult(NamedTuple):
    """A study with its evaluation set and how every arm stands in it."""

    study: Study
    eval_set: EvalSet
    arm_results: list[ArmResult]
    floors: Floors


def studies(
    *, length: int, test_length: int, drifts: Sequence[float], rhos: Sequence[float]
) -> list[Study]:
    """All studies; networks are trained on `length` targets, and `mixed` and `control` marked so.

    drifts: rates a of DR; rhos: correlations at which `mixed` is marked.
    """
    lines = ("arx_ridge",)
    regressions = {
        "coloured": correlated(),
        "shifted": catalogue.coloured(rho=RHO, tokens="shift"),
        "placebo": catalogue.coloured(rho=0.0),
    }
    drifting = {f"drifting_{a:g}": catalogue.drifting(a=a) for a in drifts}
    mixed, control = catalogue.coloured(rho=None), catalogue.autoregression()
    forget = ("ridge", "forget_0.9")
    return [
        *(Study(name, f, f, test_length, lines, coloured) for name, f in regressions.items()),
        Study("mixed", mixed, at_known(mixed, rhos), length, ("unknown",), coloured),
        *(Study(name, f, f, test_length, forget, weights) for name, f in drifting.items()),
        Study("control", control, control, length, ("ar4", "zero"), lags),
    ]


def correlated() -> Family:
    """CNR at RHO, lags in the token."""
    return catalogue.coloured(rho=RHO)


def at_known(mixed: Family, rhos: Sequence[float]) -> Family:
    """CNR-mix, its correlations among `rhos`, marked against Bayes that knows them.

    The Bayes predictor of the mixture, which does not, becomes the estimator "unknown".
    """
    sample = regression.coloured_sampler(
        jnp.asarray(rhos, float), regressor_rho=0.0, white=0.0, tokens="lag"
    )
    known = correlated().bayes  # it reads every sequence's own correlation
    estimators = {**mixed.estimators, "unknown": cast(Predictor, mixed.bayes)}
    return mixed._replace(sample=sample, bayes=known, estimators=estimators)


def coloured(batch: Batch) -> Floors:
    """Floors of CNR, the correlation known."""
    own = jax.jit(exact.coloured_regression)(*_lanes(batch), batch.task.rho)
    return Floors(np.asarray(own.var).T, NOISE + np.asarray(own.spread).T)


def weights(batch: Batch) -> Floors:
    """The Kalman filter's risk on DR."""
    var = jax.jit(exact.drifting_regression)(*_lanes(batch), batch.task).var
    return Floors(np.asarray(var).T, np.asarray(var).T)


def lags(batch: Batch) -> Floors:
    """Ridge's risk on ARc: the regression of `weights` at a = 1, in other units."""
    x, y = _lanes(batch)
    unit = NOISE**0.5  # of y: the noise has variance 1 here
    scaled = unit * AR_DEVIATION * x.shape[1] ** 0.5 * x
    own = jax.jit(exact.drifting_regression)(scaled, unit * y, jnp.ones_like(y[0]))
    var = np.asarray(own.var).T / NOISE
    return Floors(var, var)


def _lanes(batch: Batch) -> tuple[Float[Array, "T D B"], Float[Array, "T B"]]:
    return batch.regressors.transpose(1, 2, 0), batch.targets[..., 0].T


def study_results(
    study: Study,
    arms: Sequence[BoundArm],
    keys: Keys,
    training: Training,
    journal: Journal,
    *,
    length: int,
    sequences: int,
) -> StudyResult:
    """Train every arm on the study's family and evaluate it.

    Studies share `keys`: the same weights, regressors and innovations at every correlation.
    """
    comparison = compare(
        study.family,
        keys,
        training,
        sequences=sequences,
        length=length,
        over="bayes",
        only=study.only,
        tested_on=study.test_family,
        test_length=study.length,
    )
    found = arm_results(comparison, arms, journal.scope(study.name))
    return StudyResult(study, comparison.eval_set, found, study.floors(comparison.eval_set.batch))


def risks(study_result: StudyResult, arm_result: ArmResult) -> Float[np.ndarray, "R T"]:
    """The arm's risk at every position: Bayes' exact one and the excess over it.

    Far less noisy than the mean squared error.
    """
    return arm_result.excess + study_result.floors.bayes.mean(axis=0)


class ByRho(NamedTuple):
    """Risks after n pairs at G correlations, of A arms with R networks each, and of references."""

    arms: Float[np.ndarray, "A R G"]
    bayes: Float[np.ndarray, "G"]
    unknown: Float[np.ndarray, "G"]
    proper: Float[np.ndarray, "G"]


def by_rho(mixed: StudyResult, rhos: Sequence[float], *, n: int) -> ByRho:
    """The evaluation set of `mixed`, split by the correlation of its sequences."""
    own = np.asarray(mixed.eval_set.batch.task.rho)
    groups = [np.isclose(own, rho, atol=1e-5) for rho in rhos]
    bayes = mixed.floors.bayes[:, n]

    def split(at_n: np.ndarray) -> np.ndarray:
        return np.stack([at_n[..., rows].mean(axis=-1) for rows in groups], axis=-1)

    def risk(predictions: np.ndarray) -> np.ndarray:
        return split(evaluation.excess(mixed.eval_set, predictions, "bayes")[..., n] + bayes)

    of_arms = np.stack([risk(one.answers) for one in mixed.arm_results])
    unknown = risk(mixed.eval_set.references["unknown"])
    return ByRho(of_arms, split(bayes), unknown, split(mixed.floors.proper[:, n]))
