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
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.config import Placed
from feedrun.papers.ssm_icl.arms.evaluation import Exam
from feedrun.papers.ssm_icl.arms.names import Names
from feedrun.papers.ssm_icl.arms.results import Standing
from feedrun.papers.ssm_icl.arms.training import Learner, Trained
from feedrun.papers.ssm_icl.families import Family, Keys, catalogue
from feedrun.papers.ssm_icl.shift import figures, shifted_families
from feedrun.train.threads import in_threads


class Shifted(Placed):
    """Settings of icl_shift; `at` is of unshifted data."""

    linear_arms: Names
    coloured_arms: Names
    shifts: list[Annotated[str, one_of(shifted_families.SHIFTS, "shift")]]


class Faced(NamedTuple):
    """One arm on one shift; answers are dropped. R seeds, T positions.

    standing:    its excess (R, T) is (f - m)^2 to the test oracle m, the regret to it.
    prior:       (R, T), the same to the training oracle.
    over_prior:  (R,), its squared error less the training oracle's, which it may beat.
    """

    standing: Standing
    prior: Float[np.ndarray, "R T"]
    over_prior: Float[np.ndarray, "R"]


class Faces(NamedTuple):
    """All arms of one family on one shift; `apart` (T,): (m_test - m_prior)^2 of the oracles."""

    exam: Exam
    everyone: list[Faced]
    apart: Float[np.ndarray, "T"]


def run(cfg: Shifted, key: jax.Array, journal: Journal) -> Result:
    """Train on LG4 and on CNR, then let every arm sit the exams of all shifts."""
    linear_key, coloured_key = jax.random.split(key)
    keys = families.keys(linear_key)
    bank_key, shift_key = jax.random.split(keys.library)
    lg4 = catalogue.lg4(bank_key, bank=cfg.bank)
    linear = shifted_families.linear_shifts(lg4, shift_key, cfg.shifts, bank=cfg.bank)
    faces = faced(cfg, "lg4", linear, cfg.linear_arms, keys, journal)
    journal.progress(1, 2)
    keys = families.keys(coloured_key)
    coloured = shifted_families.coloured_shifts(cfg.shifts)
    faces |= faced(cfg, "coloured", coloured, cfg.coloured_arms, keys, journal)
    return Result(summary(cfg, faces), arrays(cfg, faces), notes(cfg, faces))


def faced(
    cfg: Shifted,
    source: str,
    tested: dict[str, Family],
    names: Sequence[str],
    keys: Keys,
    journal: Journal,
) -> dict[str, Faces]:
    """Train the arms on tested["unshifted"] and let them face every family of `tested`.

    The unshifted one is called after its source, the others by their own names.
    """
    family = tested["unshifted"]
    valid = evaluation.draw(family, keys.tune, count=cfg.training.valid, length=cfg.length)

    def trained(name: str, journal: Journal) -> tuple[Learner, Trained]:
        learner = training.learner(name, family, cfg.network, length=cfg.length)
        found = training.fitted(
            learner, keys, cfg.training, valid, journal, length=cfg.length, over="bayes"
        )
        return learner, found

    arms = in_threads(trained, names, journal.scope(source))
    faces = {}
    for name, key in zip(tested, jax.random.split(keys.test, len(tested)), strict=True):
        exam = evaluation.draw(tested[name], key, count=cfg.sequences, length=cfg.length)
        faces[source if name == "unshifted" else name] = face(cfg, exam, arms)
    return faces


def face(cfg: Shifted, exam: Exam, trained: Sequence[tuple[Learner, Trained]]) -> Faces:
    """Every arm on one exam; where the oracles are the same, "bayes" is both."""
    other = "prior" if "prior" in exam.references else "bayes"
    everyone = []
    for learner, found in trained:
        standing = results.stand(learner, found, exam, over="bayes", slab=cfg.training.batch)
        prior = evaluation.excess(exam, standing.answers, other).mean(axis=1)
        difference = evaluation.risk(exam, standing.answers) - evaluation.risk(
            exam, exam.references[other]
        )
        light = standing._replace(answers=standing.answers[:, :0])
        everyone.append(Faced(light, prior, difference.mean(axis=(1, 2))))
    apart = evaluation.excess(exam, exam.references[other], "bayes").mean(axis=0)
    return Faces(exam, everyone, apart)


def toward_test(one: Faced, apart: Float[np.ndarray, "T"]) -> Float[np.ndarray, "R"]:
    """Where the arm stands between the training oracle (0) and the test oracle (1).

    The projection <f - m_prior, m_test - m_prior> / |m_test - m_prior|^2 over all positions; it
    follows from the distances: |f - m_test|^2 = |f - m_prior|^2 + (1 - 2x) |m_test - m_prior|^2.
    Below 1/2 the arm is nearer to the training oracle.
    """
    gap = one.standing.excess.sum(axis=1) - one.prior.sum(axis=1)
    return (1 - gap / apart.sum()) / 2


def summary(cfg: Shifted, faces: dict[str, Faces]) -> dict[str, Any]:
    """Numbers of every arm as "<shift>/<arm>/...", least gaps, unshifted data's leaks."""
    found: dict[str, Any] = {}
    for name, own in faces.items():
        for one in own.everyone:
            found |= {f"{name}/{k}": v for k, v in measured(cfg, name, own, one).items()}
        if own.apart.any():
            gaps = [f.standing.excess.mean(axis=1) - f.prior.mean(axis=1) for f in own.everyone]
            found[f"{name}/gap_test_minus_prior"] = np.min(gaps, axis=0).tolist()
            found[f"{name}/oracles_apart"] = [float(own.apart.mean())]
    usual = [one.standing for name in ("lg4", "coloured") for one in faces[name].everyone]
    return found | results.leak_summary(usual)


def measured(cfg: Shifted, name: str, own: Faces, one: Faced) -> dict[str, list[float]]:
    """One arm on one shift: regret to both oracles, and on unshifted data its excess by context."""
    arm = one.standing.learner.name
    if name in ("lg4", "coloured"):
        return results.summary(one.standing, cfg.at)
    found = {"regret_test": one.standing.excess.mean(axis=1), "risk_over_prior": one.over_prior}
    if own.apart.any():
        found |= {"regret_prior": one.prior.mean(axis=1)}
        found |= {"toward_test": toward_test(one, own.apart)}
    return {f"{arm}/{k}": np.asarray(v, float).tolist() for k, v in found.items()}


def arrays(cfg: Shifted, faces: dict[str, Faces]) -> dict[str, Any]:
    """By "<shift>.<array>": those of `standings.arrays`, prior (A, R, T), apart (T,)."""
    found: dict[str, Any] = {}
    for name, own in faces.items():
        everyone = [one.standing for one in own.everyone]
        part = results.arrays(everyone, own.exam, over="bayes", every=cfg.training.log_every)
        part |= {"prior": np.stack([one.prior for one in own.everyone]), "apart": own.apart}
        found |= results.of_part(name, part)
    return found


def notes(cfg: Shifted, faces: dict[str, Faces]) -> dict[str, Any]:
    """Costs and rates; arms whose rate is at an edge of the grid; what predicting 0 gives."""
    found, chance = {}, {}
    for name, own in faces.items():
        zero = np.zeros_like(cast(np.ndarray, own.exam.references["bayes"]))
        nothing = evaluation.excess(own.exam, zero, "bayes").mean(axis=0)
        metric = {"excess": nothing.mean()} | {f"excess_{n}": nothing[n] for n in cfg.at}
        shifted = {"regret_test": nothing.mean()}
        for one in own.everyone:
            arm = f"{name}/{one.standing.learner.name}"
            given = metric if name in ("lg4", "coloured") else shifted
            chance |= {f"{arm}/{k}": float(v) for k, v in given.items()}
    for name in ("lg4", "coloured"):
        found[name] = results.notes(one.standing for one in faces[name].everyone)
    edges = results.parts_at_an_edge(found, cfg.training.rates)
    return {**found, "rate_at_an_edge": edges, "chance": chance}


EXPERIMENT = Experiment(
    config=Shifted, run=run, claims=claims_beside(__file__), figures=figures.figures
)
