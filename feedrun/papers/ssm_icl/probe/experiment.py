"""Does a trained network's hidden state hold what a Bayesian filter would?

Paper: 2602.17744 (selective SSMs "track latent states more robustly than linear Transformers").
Command: feedrun experiment=icl_probe (minutes: see the yaml).
What should come out: raw states of LG4 cannot be read by anyone (the identifiability trap); of what
can be known of the noise-free signal most is read linearly from trained hidden states, far more
than from untrained ones or from the last observations; and a network's gain on new observations
settles as a Kalman filter's does.
"""

from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from pydantic import Field, model_validator

from feedrun.experiment import Config, Experiment, Journal, Result, claims_beside
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation, results
from feedrun.papers.ssm_icl.arms import training as learners
from feedrun.papers.ssm_icl.arms.names import Names
from feedrun.papers.ssm_icl.arms.training import Count, Learner, Network, Training
from feedrun.papers.ssm_icl.families import catalogue, chains, linear_gaussian
from feedrun.papers.ssm_icl.probe import figures, gain, probes, summary, targets
from feedrun.papers.ssm_icl.probe.gain import Gain
from feedrun.papers.ssm_icl.probe.probes import Probing
from feedrun.papers.ssm_icl.probe.summary import Part
from feedrun.train.threads import in_threads


class Section(Config):
    """One family: its arms, targets a sequence, and their training."""

    arms: Names
    length: Annotated[int, Field(ge=8)]
    training: Training


class Probe(Config):
    """Settings of icl_probe; `bank`: prior draws of LG4's Bayes predictor."""

    lg4: Section
    lg1: Section
    switching: Section
    bank: Count
    network: Network
    probing: Probing
    gain: Gain

    @model_validator(mode="after")
    def _room(self):
        shortest = min(self.lg4.length, self.lg1.length, self.switching.length)
        if self.probing.after >= shortest:
            raise ValueError(f"after={self.probing.after} must be below every length ({shortest})")
        return self


class Problem(NamedTuple):
    """A family with what is asked of it."""

    name: str
    family: families.Family
    asked: targets.Asked
    section: Section


def run(cfg: Probe, key: jax.Array, journal: Journal) -> Result:
    """Train, examine and probe the arms of one family after the other; LG1's also for gains."""
    *roots, gain_key = jax.random.split(key, 4)
    own = [families.keys(root) for root in roots]
    parts, influences = [], {}
    for problem, keys in zip(problems(cfg, own), own, strict=True):
        part, everyone = probed(cfg, problem, keys, journal.scope(problem.name))
        parts.append(part)
        if problem.name == "lg1":
            influences = gained(cfg, gain_key, everyone)
    return Result(
        summary.summary(parts, influences, cfg),
        summary.arrays(parts, influences, cfg),
        summary.notes(parts, cfg),
    )


def problems(cfg: Probe, keys: list[families.Keys]) -> list[Problem]:
    """LG4, LG1 and SM. Exact mixtures are left to the probes' ceilings: trained arms are judged
    over the genie, so that a bank is run once.
    """
    four, _, chain = keys
    bank = jax.random.clone(four.library)
    lg4 = catalogue.lg4(four.library, bank=1)._replace(bayes=None)
    lg1 = catalogue.lg1()._replace(bayes=None)
    library = chains.switching_library(jax.random.clone(chain.library))
    return [
        Problem("lg4", lg4, targets.linear(linear_gaussian.lg4(bank, cfg.bank)), cfg.lg4),
        Problem("lg1", lg1, targets.linear(linear_gaussian.lg1_grid()), cfg.lg1),
        Problem(
            "switching",
            catalogue.switching(chain.library),
            targets.switching(library),
            cfg.switching,
        ),
    ]


def probed(
    cfg: Probe, problem: Problem, keys: families.Keys, journal: Journal
) -> tuple[Part, list[results.Standing]]:
    """Scores of all arms of a family, trained and not, and of the controls."""
    name, family, asked, section = problem
    valid_key, fit_key, choose_key, start_key = jax.random.split(keys.tune, 4)
    length, training, probing = section.length, section.training, cfg.probing
    valid = evaluation.draw(family, valid_key, count=training.valid, length=length, only=())
    exam = evaluation.draw(family, keys.test, count=probing.test, length=length, only=())
    data = probes.data(family, asked, (fit_key, choose_key), exam.batch, probing, length)
    scores = {
        "bayes": probes.known(data, data.attainable, probing.after),
        "genie": probes.known(data, data.genie, probing.after),
        "last": probes.read(data, [probes.last(probing.lags)], probing),
    }
    starts = jax.random.split(start_key, training.seeds)

    def of_arm(arm: str, journal: Journal):
        learner = learners.learner(arm, family, cfg.network, length=length)
        trained = learners.fitted(
            learner, keys, training, valid, journal, length=length, over="genie"
        )
        untrained = jax.jit(jax.vmap(learner.arm.init))(jax.random.clone(starts))
        hidden = [_read(learner, data, probing, own) for own in (trained.params, untrained)]
        return hidden, results.stand(learner, trained, exam, over="genie", slab=training.batch)

    everyone = []
    for arm, (hidden, one) in zip(
        section.arms, in_threads(of_arm, section.arms, journal), strict=True
    ):
        scores[arm], scores[f"untrained {arm}"] = hidden
        everyone.append(one)
    return Part(name, tuple(section.arms), scores, everyone), everyone


def _read(learner: Learner, data: probes.Data, probing: Probing, params: Any):
    """Probes of all networks of an arm."""
    apply = probes.streams(learner.arm)
    networks = [probes.network(params, seed) for seed in range(probes.seeds(params))]
    return probes.read(data, (probes.hidden(apply, own, probing.slab) for own in networks), probing)


def gained(cfg: Probe, key: Any, everyone: list[results.Standing]) -> dict[str, np.ndarray]:
    """Influences by arm (R, B, T, T), and of the genie and of Bayes (B, T, T)."""
    y = gain.observations(cfg.gain, key, cfg.lg1.length)
    found = {
        name: np.asarray(jax.jit(partial(gain.influence, predict))(y))
        for name, predict in (("genie", gain.genie(cfg.gain)), ("bayes", gain.bayes))
    }
    for one in everyone:
        found[one.learner.name] = gain.of_networks(one.learner.arm, one.trained.params, y)
    return found


EXPERIMENT = Experiment(
    config=Probe, run=run, claims=claims_beside(__file__), figures=figures.figures
)
