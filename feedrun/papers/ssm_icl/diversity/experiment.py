"""How many tasks until a network infers new ones instead of choosing among old ones?

Paper: 2602.17744, Theorem 1 (optimality under the pretraining distribution); 2306.15063 has seen it
for regression.
Command: feedrun experiment=icl_diversity (minutes: see the yaml).
What should come out: few tasks in training: the network is near the mixture of their filters,
also where that is wrong; many: near the full prior's oracle; the number at which it changes.

A repeat has a library of systems, training data and evaluation sets of its own; libraries of all
sizes are the first K systems of it, and the data's keys are the same for every K and arm, so
differences are paired. Rates are chosen anew for every K and repeat, with as many trials each.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from pydantic import Field, model_validator

from feedrun.experiment import Count, Experiment, Journal, Result, claims_beside
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.config import EvalConfig, Names
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import BoundArm, Trained
from feedrun.papers.ssm_icl.diversity import distances, figures, libraries
from feedrun.papers.ssm_icl.diversity.distances import ORACLES, PLACES, Distances, crossover
from feedrun.papers.ssm_icl.families import Family, Keys, catalogue
from feedrun.train.streams import Stream
from feedrun.train.threads import in_threads


class Diversity(EvalConfig):
    """Settings of icl_diversity; `training.seeds` repeats, each with a library of its own."""

    arms: Names
    tasks: Annotated[list[Count], Field(min_length=2)]

    @model_validator(mode="after")
    def _rising(self):
        if sorted(set(self.tasks)) != self.tasks:
            raise ValueError(f"tasks={self.tasks} must rise")
        return self


class Cell(NamedTuple):
    """One network: how it was trained, its distances to the oracles, its results."""

    trained: Trained
    found: Distances
    evaluated: list[ArmResult]


class Repeat(NamedTuple):
    """What all arms of one library and K share: data to train, tune and be tested on."""

    keys: Keys
    stream: Stream
    eval_sets: dict[str, EvalSet]
    tune: EvalSet


def run(cfg: Diversity, key: jax.Array, journal: Journal) -> Result:
    """Every library, every K, every arm."""
    prior_key, *repeats = jax.random.split(key, cfg.training.seeds + 1)
    family = catalogue.lg4(prior_key, bank=cfg.bank)
    arms = [training.bound(a, family, cfg.network, length=cfg.length) for a in cfg.arms]
    shared = prepared(cfg, family, repeats)

    def of_arm(one: BoundArm, journal: Journal) -> list[Cell]:
        places = [(f"tasks_{k}/repeat_{repeat}", own) for (k, repeat), own in shared]
        return [cell(cfg, one, own, journal.scope(place)) for place, own in places]

    of_arms = in_threads(of_arm, arms, journal)
    cells = {
        (one.name, k, repeat): own
        for one, found in zip(arms, of_arms, strict=True)
        for ((k, repeat), _), own in zip(shared, found, strict=True)
    }
    for done, ((arm, k, _), own) in enumerate(cells.items()):
        row = np.array(own.found).mean(axis=1)
        names = [f"{arm}/tasks_{k}/{name}" for name in Distances._fields]
        journal.log(done + 1, dict(zip(names, row.tolist(), strict=True)))
    lines = {place: between(own.eval_sets["new"]) for place, own in shared}
    return Result(summary(cfg, cells), arrays(cfg, cells, lines), notes(cfg, arms, cells, shared))


def prepared(
    cfg: Diversity, family: Family, repeats: Sequence[Any]
) -> list[tuple[tuple[int, int], Repeat]]:
    """((K, repeat), what is shared) of all; the new systems' sequences are the same for every K."""
    final = libraries.draws(family, count=cfg.sequences, length=cfg.length)
    tuning = libraries.draws(family, count=cfg.training.valid, length=cfg.length)
    stream = libraries.batches(count=cfg.training.batch, length=cfg.length)
    shared = []
    for repeat, own in enumerate(repeats):
        keys = families.keys(own)
        systems = libraries.frozen(keys.library, max(cfg.tasks))
        new_key, known_key = jax.random.split(keys.test)
        new = final.foreign(new_key)
        beside = libraries.references(final, new)
        for k in cfg.tasks:
            library = libraries.library(systems, k)
            known = final.familiar(library, jax.random.clone(known_key))
            tune = tuning.familiar(library, jax.random.clone(keys.tune))
            eval_set = partial(libraries.eval_set, library=library)
            found = {
                "library": eval_set(final, known, beside=libraries.references(final, known)),
                "new": eval_set(final, new, beside=beside),
            }
            tune = eval_set(tuning, tune, beside={})
            shared.append(((k, repeat), Repeat(keys, stream(library), found, tune)))
    return shared


def cell(cfg: Diversity, bound: BoundArm, own: Repeat, journal: Journal) -> Cell:
    """Tune and train one network, and evaluate it on both sets."""
    budget = cfg.training.model_copy(update={"seeds": 1})
    trained = training.fitted(
        bound,
        own.keys,
        budget,
        own.tune,
        journal,
        length=cfg.length,
        over="bayes",
        stream=own.stream,
    )
    evaluated = [
        results.evaluate(bound, trained, own.eval_sets[place], over=over)
        for place, over in zip(PLACES, ORACLES, strict=True)
    ]
    answered = {
        p: (own.eval_sets[p], one.answers) for p, one in zip(PLACES, evaluated, strict=True)
    }
    return Cell(trained, distances.distances(answered), evaluated)


def between(eval_set: EvalSet) -> np.ndarray:
    """Distance (T,) of the two oracles."""
    return evaluation.excess(eval_set, eval_set.references["bayes"], "prior").mean(axis=0)


def table(cfg: Diversity, take: Callable[[tuple[int, int]], Any]) -> np.ndarray:
    """take((K, repeat)) of all, (K, R, ...)."""
    return np.array([[take((k, r)) for r in range(cfg.training.seeds)] for k in cfg.tasks])


def summary(cfg: Diversity, cells: Mapping[tuple[str, int, int], Cell]) -> dict[str, Any]:
    """Distances, differences and crossovers by arm; slopes; leaks."""
    found: dict[str, Any] = {}
    for arm in cfg.arms:
        mine = table(cfg, lambda at, arm=arm: np.array(cells[arm, *at].found).mean(axis=1))
        found |= distances.summary(arm, cfg.tasks, mine)
        slopes = table(cfg, lambda at, arm=arm: cells[arm, *at].trained.slope[0])
        if np.isfinite(slopes).all():
            found |= {
                f"{arm}/tasks_{k}/slope": row.tolist()
                for k, row in zip(cfg.tasks, slopes, strict=True)
            }
    found |= distances.between_arms(found, cfg.arms)
    return found | results.leak_summary(one for own in cells.values() for one in own.evaluated)


def arrays(cfg: Diversity, cells: Mapping[Any, Cell], lines: Mapping[Any, Any]) -> dict[str, Any]:
    """For the figures: found (A, K, R, 4, T), between (K, R, T), valid (A, K, R, rows), ..."""
    valid = [table(cfg, lambda at, a=a: cells[a, *at].trained.curves[:, 1, 0]) for a in cfg.arms]
    every = cfg.training.log_every
    return {
        "arms": np.array(cfg.arms),
        "tasks": np.array(cfg.tasks),
        "found": np.stack(
            [table(cfg, lambda at, a=a: np.array(cells[a, *at].found)) for a in cfg.arms]
        ),
        "between": table(cfg, lambda at: lines[at]),
        "valid": np.stack(valid),
        "steps": every * np.arange(1, cfg.training.steps // every + 1),
    }


def notes(
    cfg: Diversity,
    arms: Sequence[BoundArm],
    cells: Mapping[Any, Cell],
    shared: Sequence[Any],
) -> dict[str, Any]:
    """Costs; every chosen rate, and how many lie at an edge; crossovers; what guessing 0 gives."""
    chosen = {a: table(cfg, lambda at, a=a: cells[a, *at].trained.rate) for a in cfg.arms}
    edges = min(cfg.training.rates), max(cfg.training.rates)
    zero = np.mean([np.mean(own.eval_sets["new"].references["prior"] ** 2) for _, own in shared])
    return {
        "cost": {one.name: training.cost(one) for one in arms},
        "rates": {
            a: dict(zip(map(str, cfg.tasks), r.tolist(), strict=True)) for a, r in chosen.items()
        },
        "rates_at_an_edge": {a: int(np.isin(r, edges).sum()) for a, r in chosen.items()},
        "crossover_log2": {
            a: [str(crossover(cfg.tasks, lead)) for lead in leads(cfg, cells, a)] for a in cfg.arms
        },
        "chance": {f"{a}/tasks_{k}/new_prior": float(zero) for a in cfg.arms for k in cfg.tasks},
    }


def leads(cfg: Diversity, cells: Mapping[Any, Cell], arm: str) -> np.ndarray:
    """(R, K): how much nearer the full prior's oracle is than the mixture, on new systems."""
    found = table(cfg, lambda at: np.array(cells[arm, *at].found).mean(axis=1))
    return distances.lead(found).T


EXPERIMENT = Experiment(
    config=Diversity,
    run=run,
    claims=claims_beside(__file__),
    figures=figures.figures,
)
