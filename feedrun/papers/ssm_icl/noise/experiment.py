"""Coloured noise: do selective SSMs get below what Transformers reach, and only there?

Paper: 2602.17744, Theorem 2 and its experiments on structured noise.
Command: feedrun experiment=icl_noise (minutes: see the yaml).
What should come out: every trained arm is below the floor of proper least squares, Transformers as
well, so that the separation of the estimators is none of the architectures; one layer of linear
attention stays above it. Without correlation nobody beats ridge.
"""

from collections.abc import Iterator
from typing import Annotated

import jax
import numpy as np
from pydantic import AfterValidator, Field

from feedrun.experiment import Config, Count, Experiment, Journal, Result, claims_beside
from feedrun.models import arms
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import comparison as comparisons
from feedrun.papers.ssm_icl.arms import evaluation
from feedrun.papers.ssm_icl.arms import training as arm_training
from feedrun.papers.ssm_icl.arms.comparison import compare
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import Network, Training
from feedrun.papers.ssm_icl.families import Keys
from feedrun.papers.ssm_icl.noise import figures, studies, theory_layer
from feedrun.papers.ssm_icl.noise import summary as noise_summary
from feedrun.papers.ssm_icl.noise.studies import Study
from feedrun.papers.ssm_icl.noise.summary import CONTEXT, LATE


def _known(name: str) -> str:
    """An arm that there is (ValueError otherwise)."""
    arms.parse(name)
    return name


Names = list[Annotated[str, AfterValidator(_known)]]
Correlation = Annotated[float, Field(gt=-1, lt=1)]
Drift = Annotated[float, Field(gt=0, lt=1)]


class Arms(Config):
    """Which arms are trained on what; none: the study is left out."""

    coloured: Names
    shifted: Names
    placebo: Names
    mixed: Names
    drifting: Names
    control: Names


class Noise(Config):
    """Settings of icl_noise.

    length: targets a training sequence; test_length: in evaluation, but of `mixed` and `control`,
    which are as long as training; drifts: rates a of DR; rhos: where `mixed` is marked.
    """

    arms: Arms
    length: Annotated[int, Field(gt=CONTEXT)]
    test_length: Annotated[int, Field(gt=LATE)]
    test_sequences: Count
    drifts: list[Drift]
    rhos: Annotated[list[Correlation], Field(min_length=2)]
    network: Network
    training: Training
    theory: Training


def run(cfg: Noise, key: jax.Array, journal: Journal) -> Result:
    """Every study in turn on the same keys, then the layer of the theory."""
    keys = families.keys(key)
    done = [
        studies.study_results(
            study,
            learned,
            keys,
            cfg.training,
            journal,
            length=cfg.length,
            sequences=cfg.test_sequences,
        )
        for study, learned in list(planned(cfg))
    ]
    layer = theory(cfg.theory, keys, journal, sequences=cfg.test_sequences)
    summary = noise_summary.summary(done, layer, rhos=cfg.rhos)
    arrays = noise_summary.arrays(done, rhos=cfg.rhos, every=cfg.training.log_every)
    arrays |= {"length": np.array(cfg.length), "rhos": np.array(cfg.rhos)}
    return Result(summary, arrays, noise_summary.notes(done, cfg.training.rates, summary))


def planned(cfg: Noise) -> Iterator[tuple[Study, list[arm_training.BoundArm]]]:
    """The studies that have arms, with their arms."""
    wanted: dict[str, list[str]] = cfg.arms.model_dump()
    for study in studies.studies(
        length=cfg.length, test_length=cfg.test_length, drifts=cfg.drifts, rhos=cfg.rhos
    ):
        names = wanted[study.name.split("_")[0]]
        if names:
            build = [
                arm_training.bound(name, study.family, cfg.network, length=cfg.length)
                for name in names
            ]
            yield study, build


def theory(
    training: Training, keys: Keys, journal: Journal, *, sequences: int
) -> tuple[ArmResult, np.ndarray]:
    """One layer of linear attention, trained and evaluated at CONTEXT pairs; its risks (R,).

    Each is the exact risk of the best gradient step and the difference of the two excesses, which
    is far less noisy than either.
    """
    family = theory_layer.queries(studies.correlated())
    bound = theory_layer.bound(family)
    comparison = compare(
        family,
        keys,
        training,
        sequences=sequences,
        length=CONTEXT + 1,
        over="bayes",
        only=("lsa",),
        tuned_by=("lsa",),
    )
    arm_result = comparisons.arm_result(comparison, bound, journal.scope("theory"))
    eval_set = comparison.eval_set
    step = evaluation.excess(eval_set, eval_set.references["lsa"], "bayes").mean()
    return arm_result, theory_layer.best_risk(CONTEXT) + arm_result.excess[:, 0] - step


EXPERIMENT = Experiment(
    config=Noise, run=run, claims=claims_beside(__file__), figures=figures.figures
)
