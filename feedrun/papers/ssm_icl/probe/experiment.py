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

from feedrun.experiment import Config, Count, Experiment, Journal, Result, claims_beside
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import comparison as comparisons
from feedrun.papers.ssm_icl.arms import results
from feedrun.papers.ssm_icl.arms import training as arm_training
from feedrun.papers.ssm_icl.arms.comparison import compare
from feedrun.papers.ssm_icl.arms.config import Names
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import BoundArm, Network, Training
from feedrun.papers.ssm_icl.families import catalogue, chains, linear_gaussian
from feedrun.papers.ssm_icl.probe import figures, gain, probes, summary, targets
from feedrun.papers.ssm_icl.probe.gain import Gain
from feedrun.papers.ssm_icl.probe.probes import Probing
from feedrun.papers.ssm_icl.probe.summary import Part


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
    """Train, evaluate and probe the arms of one family after the other; LG1's also for gains."""
    *roots, gain_key = jax.random.split(key, 4)
    own = [families.keys(root) for root in roots]
    parts, influences = [], {}
    for problem, keys in zip(problems(cfg, own), own, strict=True):
        part, arm_results = probed(cfg, problem, keys, journal.scope(problem.name))
        parts.append(part)
        if problem.name == "lg1":
            influences = gained(cfg, gain_key, arm_results)
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
) -> tuple[Part, list[results.ArmResult]]:
    """Scores of all arms of a family, trained and not, and of the controls."""
    name, family, asked, section = problem
    valid_key, fit_key, choose_key, start_key = jax.random.split(keys.tune, 4)
    length, training, probing = section.length, section.training, cfg.probing
    comparison = compare(
        family,
        keys._replace(tune=valid_key),
        training,
        sequences=probing.test,
        length=length,
    )
    eval_set = comparison.eval_set
    data = probes.data(family, asked, (fit_key, choose_key), eval_set.batch, probing, length)
    scores = {
        "bayes": probes.known(data, data.attainable, probing.after),
        "genie": probes.known(data, data.genie, probing.after),
        "last": probes.read(data, [probes.last(probing.lags)], probing),
    }
    starts = jax.random.split(start_key, training.seeds)

    def read(one: ArmResult):
        untrained = jax.jit(jax.vmap(one.bound.arm.init))(jax.random.clone(starts))
        hidden = [_read(one.bound, data, probing, own) for own in (one.trained.params, untrained)]
        return hidden, one

    arms = [arm_training.bound(arm, family, cfg.network, length=length) for arm in section.arms]
    found = comparisons.arm_results(comparison, arms, journal, then=read)
    for arm, (hidden, _) in zip(section.arms, found, strict=True):
        scores[arm], scores[f"untrained {arm}"] = hidden
    arm_results = [one for _, one in found]
    return Part(name, tuple(section.arms), scores, arm_results), arm_results


def _read(bound: BoundArm, data: probes.Data, probing: Probing, params: Any):
    """Probes of all networks of an arm."""
    apply = probes.streams(bound.arm)
    networks = [probes.network(params, seed) for seed in range(probes.seeds(params))]
    return probes.read(data, (probes.hidden(apply, own, probing.slab) for own in networks), probing)


def gained(cfg: Probe, key: Any, arm_results: list[results.ArmResult]) -> dict[str, np.ndarray]:
    """Influences by arm (R, B, T, T), and of the genie and of Bayes (B, T, T)."""
    y = gain.observations(cfg.gain, key, cfg.lg1.length)
    found = {
        name: np.asarray(jax.jit(partial(gain.influence, predict))(y))
        for name, predict in (("genie", gain.genie(cfg.gain)), ("bayes", gain.bayes))
    }
    for one in arm_results:
        found[one.bound.name] = gain.of_networks(one.bound.arm, one.trained.params, y)
    return found


EXPERIMENT = Experiment(
    config=Probe, run=run, claims=claims_beside(__file__), figures=figures.figures
)
