"""Recall at sizes where the paper's suite does not reach: many pairs, needles, a copy, longer.

A standard block (norms, MLP), an embedding of the token before instead of positions, a learning
rate tuned for each mechanism with as many trials, equal features; trained at one length, tested at
longer ones.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np

from feedrun import train
from feedrun.experiment import Journal
from feedrun.models.decoder import Decoder, standard
from feedrun.papers.slay.decoders import tasks, training
from feedrun.papers.slay.decoders.training import Mechanism
from feedrun.tasks import recall
from feedrun.train import tune


class Found(NamedTuple):
    """accuracy: (tasks, mechanisms, lengths, seeds); lr: (tasks, mechanisms), as tuned."""

    accuracy: np.ndarray
    lr: np.ndarray


class Sizes(NamedTuple):
    """length: of training; factors: how many times that in tests; rates: as many as seeds."""

    length: int
    factors: Sequence[int]
    width: int
    heads: int
    layers: int
    steps: int
    batch: int
    test_batches: int
    rates: Sequence[float]
    weight_decay: float


def accuracies(
    key: Any,
    mechanisms: Mapping[str, Mechanism],
    names: Sequence[str],
    sizes: Sizes,
    journal: Journal,
) -> Found:
    """Accuracy of all mechanisms on all of `names`, at every length.

    Mechanisms share batches, tests and initial weights, seed by seed.
    """
    shape = (len(names), len(mechanisms))
    found = Found(np.empty((*shape, len(sizes.factors), len(sizes.rates))), np.empty(shape))
    for i, (name, task_key) in enumerate(
        zip(names, jax.random.split(key, len(names)), strict=True)
    ):
        for j, (label, mechanism) in enumerate(mechanisms.items()):
            own = jax.random.clone(task_key)
            which, scope = names.index(name), journal.scope(f"{name}/{label}")
            found.accuracy[i, j], found.lr[i, j] = _one(own, mechanism, names, which, sizes, scope)
    return found


def _one(key, mechanism: Mechanism, names, which: int, sizes: Sizes, journal: Journal):
    """(accuracy (lengths, seeds), rate) of one mechanism on one task."""
    fit_key, check_key, test_key = jax.random.split(key, 3)
    loss = tasks.Loss(network(sizes.width, sizes.heads, sizes.layers))
    draw = training.drawing(
        mechanism,
        layers=sizes.layers,
        heads=sizes.heads,
        dimension=sizes.width // sizes.heads,
    )
    optimizer = training.tunable(sizes.steps, sizes.weight_decay)
    sampler = _sampler(names, sizes, 1)

    def fit(keys, params, opt_state, journal):
        return train.fit(
            keys,
            params,
            loss,
            sampler.stream(which),
            optimizer,
            opt_state=opt_state,
            steps=sizes.steps,
            log_every=max(1, sizes.steps // 10),
            journal=journal,
            repeats=len(keys),
        )

    def tested(key, params, factor):
        batches = max(1, sizes.test_batches // factor)
        longer = _sampler(names, sizes, factor)
        return tasks.accuracy(key, loss, params, longer, which, batches=batches)

    def start(keys):
        return training.starts(keys, loss.decoder, draw)

    tuned = tune.tuned_fit(
        fit_key,
        sizes.rates,
        start=start,
        fit=fit,
        score=lambda params: -tested(check_key, params, 1),
        optimizer=optimizer,
        journal=journal,
    )
    tests = zip(jax.random.split(test_key, len(sizes.factors)), sizes.factors, strict=True)
    return np.stack([tested(key, tuned.params, factor) for key, factor in tests]), tuned.lr


@cache
def network(width: int, heads: int, layers: int) -> Decoder:
    """A standard decoder of the recall tasks' vocabulary, of any length."""
    return standard(
        vocabulary=recall.VOCABULARY,
        width=width,
        heads=heads,
        layers=layers,
        places="previous",
    )


def _sampler(names: Sequence[str], sizes: Sizes, factor: int) -> tasks.Sampler:
    length = factor * sizes.length
    drawn = tuple(recall.task(name, length) for name in names)
    return tasks.Sampler(drawn, length, sizes.batch)
