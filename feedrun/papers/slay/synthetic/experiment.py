"""Which synthetic tasks tell attention mechanisms apart, and which could not have?

Paper: SLAY (arXiv 2602.04915), its table of 22 synthetic tasks with its own network, 200 steps
each. Beside every accuracy stands what guessing gives and what no causal model can exceed. Then the
questions which that table does not ask: many pairs to recall, needles, a copy, at one, two and
four times the trained length, with a standard block, tuned rates and equal features.

    feedrun experiment=slay_synthetic             minutes: see the yaml
"""

from typing import Annotated

import jax
import numpy as np
from pydantic import Field, model_validator

from feedrun.errors import known
from feedrun.experiment import (
    Config,
    Count,
    Experiment,
    Journal,
    Positive,
    Result,
    claims_beside,
    multiple_of,
)
from feedrun.experiment.metrics import paired, picked
from feedrun.papers.slay.decoders.training import Mechanism, chosen
from feedrun.papers.slay.synthetic import harder, levels, suite
from feedrun.papers.slay.synthetic.figures import figures
from feedrun.tasks import recall
from feedrun.tasks.synthetic import TASKS

OURS = "ours"
"""What the config's `ours` is called in metrics."""

PAIRS = (("slay", "favor_relu"), ("favor_relu", "elu"), (OURS, "slay"), (OURS, "softmax"))
"""Whose accuracies are compared: SLAY - Performer, Performer - ELU, and ours."""


class Suite(Config):
    """The paper's suite: which tasks, which mechanisms, how often."""

    tasks: Annotated[list[str], Field(min_length=1)]
    compared: Annotated[list[str], Field(min_length=1)]
    seeds: Count
    steps: Count
    batch: Count
    test_batches: Count


class Harder(Config):
    """Recall beyond it: `rates` are the trials of each mechanism, and as many seeds follow."""

    tasks: list[str]
    compared: Annotated[list[str], Field(min_length=1)]
    length: Count
    factors: Annotated[list[Count], Field(min_length=1)]
    width: Count
    heads: Count
    layers: Count
    steps: Count
    batch: Count
    test_batches: Count
    rates: Annotated[list[Positive], Field(min_length=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    _heads = model_validator(mode="after")(multiple_of("width", "heads"))


class Synthetic(Config):
    """The whole experiment; `ours` names the mechanism that stands for feedrun's own."""

    mechanisms: dict[str, Mechanism]
    ours: str
    suite: Suite
    harder: Harder

    @model_validator(mode="after")
    def _fits_together(self):
        for part, tasks in ((self.suite, TASKS), (self.harder, recall.TASKS)):
            chosen(self.mechanisms, [*part.compared, self.ours])
            for name in part.tasks:
                known(name, tasks, "task")
        for name in self.harder.tasks:
            for factor in (1, *self.harder.factors):
                recall.task(name, self.harder.length * factor)
        return self


def run(cfg: Synthetic, key, journal: Journal) -> Result:
    """The paper's suite, its levels, then the harder tasks."""
    suite_key, level_key, harder_key = jax.random.split(key, 3)
    s, h = cfg.suite, cfg.harder
    right = suite.accuracies(
        suite_key,
        chosen(cfg.mechanisms, s.compared),
        s.tasks,
        seeds=s.seeds,
        steps=s.steps,
        batch=s.batch,
        test_batches=s.test_batches,
        journal=journal.scope("suite"),
    )
    lines = suite.measured_levels(level_key, s.tasks, batch=s.batch, batches=s.test_batches)
    arrays = {
        "suite_accuracy": right,
        "suite_tasks": np.array(s.tasks),
        "suite_mechanisms": np.array(s.compared),
        "suite_levels": np.array([lines[name] for name in s.tasks]),
    }
    summary, notes = suite_summary(cfg, right, lines)
    if h.tasks:
        found = harder.accuracies(
            harder_key,
            chosen(cfg.mechanisms, h.compared),
            h.tasks,
            harder.Sizes(*(getattr(h, name) for name in harder.Sizes._fields)),
            journal.scope("harder"),
        )
        arrays |= {
            "harder_accuracy": found.accuracy,
            "harder_tasks": np.array(h.tasks),
            "harder_mechanisms": np.array(h.compared),
            "harder_lengths": h.length * np.array(h.factors),
            "harder_chance": np.array([recall.CHANCE[name] for name in h.tasks]),
        }
        summary |= harder_summary(cfg, found.accuracy)
        rates = zip(h.tasks, found.lr.tolist(), strict=True)
        notes["tuned_lr"] = {task: dict(zip(h.compared, lr, strict=True)) for task, lr in rates}
    return Result(summary, arrays, notes)


def suite_summary(cfg: Synthetic, right: np.ndarray, lines: dict[str, suite.Level]):
    """(summary, notes): accuracies, distances to the levels, and the differences on `reverse`."""
    names, labels = cfg.suite.tasks, cfg.suite.compared
    summary = {
        f"{name}_{_alias(cfg, label)}": right[i, j].tolist()
        for i, name in enumerate(names)
        for j, label in enumerate(labels)
    }
    paper = [j for j, label in enumerate(labels) if label in suite.PUBLISHED]
    for i, name in enumerate(names):
        if paper and np.isfinite(lines[name].expected):
            gaps = np.abs(right[i, paper] - lines[name].expected)
            summary[f"{name}_gap"] = gaps.max(axis=0).tolist()
    summary |= differences(summary, [f"{name}_{{}}" for name in names])
    notes = {
        "chance": {
            f"{name}_{_alias(cfg, label)}": lines[name].guess for name in names for label in labels
        },
        "ceilings": {k: v.ceiling for k, v in lines.items() if np.isfinite(v.ceiling)},
        "unsolvable": [name for name in names if name in levels.UNSOLVABLE],
        "test_samples": cfg.suite.batch * cfg.suite.test_batches,
    }
    return summary, notes


def harder_summary(cfg: Synthetic, right: np.ndarray) -> dict[str, list[float]]:
    """Accuracies at every length ("pairs_slay_x4") and paired differences between mechanisms."""
    h = cfg.harder
    summary = {
        f"{name}_{_alias(cfg, label)}_x{factor}": right[i, j, k].tolist()
        for i, name in enumerate(h.tasks)
        for j, label in enumerate(h.compared)
        for k, factor in enumerate(h.factors)
    }
    ends = [f"{name}_{{}}_x{factor}" for name in h.tasks for factor in h.factors]
    return summary | differences(summary, ends)


def differences(summary: dict[str, list[float]], patterns: list[str]) -> dict[str, list[float]]:
    """Of PAIRS, seed by seed, where both were measured; `patterns` have a place for the names."""
    names = {name for pair in PAIRS for name in pair}
    found = {}
    for pattern in patterns:
        values = picked(summary, pattern, names)
        found |= paired(values, PAIRS, pattern.format("{}_minus_{}"))
    return found


def _alias(cfg: Synthetic, label: str) -> str:
    """A mechanism's name in metrics: what is ours is called so; budgets are not part of it."""
    return OURS if label == cfg.ours else label.split("@")[0]


EXPERIMENT = Experiment(config=Synthetic, run=run, claims=claims_beside(__file__), figures=figures)
