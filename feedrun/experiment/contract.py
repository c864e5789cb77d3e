"""The contract between an experiment and everything around it: Experiment, Result, Journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from feedrun.experiment.claims import Claim, Summary
from feedrun.experiment.fields import Config


class Result(NamedTuple):
    """What a run ends with.

    summary: metric name -> a number (exact quantities), one number a repeat, or an Estimate.
    arrays:  what the figures are drawn from, numpy arrays by name.
    notes:   anything else worth keeping that fits JSON: which data, how many points were dropped.
             notes["chance"], a mapping of metrics to what guessing would give (the share of the
             majority class, the loss of a uniform guess), becomes a column in tables.
    """

    summary: Summary
    arrays: Mapping[str, np.ndarray]
    notes: Mapping[str, Any] = {}


class Journal(NamedTuple):
    """All that an experiment may do to the outside while it runs.

    log(step, metrics):      write one row of named finite numbers (a repeat axis is a list).
    progress(done, total, metrics={}): move the bar; costs nothing when called often.
    save(step, state, final=False) -> bool: checkpoint a pytree (arrays, typed keys); the runner
                             skips saves that come too soon after the last one unless `final`.
    restore(like):           (step, state) of the last checkpoint, or None; `like` gives the tree.
    scope(name):             the same journal for one part of the run: its metrics are written as
                             "name/metric", its steps count from 0, its checkpoint is its own.
    """

    log: Callable[[int, Mapping[str, Any]], None]
    progress: Callable[..., None]
    save: Callable[..., bool]
    restore: Callable[[Any], tuple[int, Any] | None]
    scope: Callable[[str], Journal]


def silent_journal(log: Callable[[int, Mapping[str, Any]], None] | None = None) -> Journal:
    """A journal that keeps nothing (or hands its rows to `log`): for tests and benchmarks."""
    journal = Journal(
        log=log or (lambda step, metrics: None),
        progress=lambda done, total, metrics=None: None,
        save=lambda step, state, final=False: False,
        restore=lambda like: None,
        scope=lambda name: journal,
    )
    return journal


class Experiment(NamedTuple):
    """An experiment module's one export, named by `_target_` in its yaml.

    run(cfg, key, journal) does the work; figures(result) draws: file stem -> matplotlib Figure
    (saved as PNG) or Animation (saved as GIF), from summary and arrays alone, so that they can be
    drawn again from the record. `x64` asks for float64 while this experiment runs.

    many(cfgs, keys, journal) -> a Result a run does several runs in one compiled program, where
    their configs differ only in `numbers` (dotted keys of values that change no shape) and seeds;
    see `feedrun.experiment.batch`.

    reduce(results) draws a sweep: from a list of (config, Result) of its finished runs, in any
    order, to file stem -> Figure, as `figures` does for one run; of what it cannot draw (too few
    points of the grid) it leaves the figure out. Of a Result it gets what a record keeps.
    """

    config: type[Config]
    run: Callable[[Any, Any, Journal], Result]
    claims: tuple[Claim, ...]
    figures: Callable[[Result], Mapping[str, Any]]
    reduce: Callable[[Sequence[tuple[Any, Result]]], Mapping[str, Any]] | None = None
    x64: bool = False
    many: Callable[[Any, Any, Journal], list[Result]] | None = None
    numbers: tuple[str, ...] = ()
