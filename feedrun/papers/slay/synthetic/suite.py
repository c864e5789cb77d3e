"""The paper's synthetic suite as it was run, with every mechanism, and the levels beside it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np

from feedrun import train
from feedrun.experiment import Journal
from feedrun.models.decoder import Decoder, bare
from feedrun.papers.slay.decoders import tasks, training
from feedrun.papers.slay.decoders.training import Mechanism
from feedrun.papers.slay.synthetic import levels
from feedrun.tasks.synthetic import TASKS, Example, Task
from feedrun.train.optim import adamw_cosine

LENGTHS = (32, 72, 256)
"""Tasks are padded to the next of these: few compiled programs, little wasted."""

HEADS, LAYERS, WIDTH, VOCABULARY = 4, 2, 64, 64
LR, WEIGHT_DECAY = 1e-3, 0.01
"""The paper's network and optimizer; a vocabulary that holds that of any task."""


def _first_half(key, length: int, vocabulary: int) -> Example:
    """distant_match up to the one position that is scored: no causal model reads on."""
    whole = TASKS["distant_match"].draw(key, TASKS["distant_match"].length, vocabulary)
    return jax.tree.map(lambda x: x[:length], whole)


PUBLISHED = ("softmax", "yat", "favor_relu", "elu", "slay")
"""The mechanisms of the paper's table, by their names here: Std, SphYat, Perf, Lin, SLAY."""

READ = TASKS | {"distant_match": Task(_first_half, 65, TASKS["distant_match"].vocabulary)}
"""The tasks as they are trained on."""


class Level(NamedTuple):
    """guess: the most frequent targets; ceiling: what a causal model can reach, NaN if unknown;
    expected: the level of the published table, NaN for tasks that carry information."""

    guess: float
    ceiling: float
    expected: float


def accuracies(
    key: Any,
    mechanisms: Mapping[str, Mechanism],
    names: Sequence[str],
    *,
    seeds: int,
    steps: int,
    batch: int,
    test_batches: int,
    journal: Journal,
) -> np.ndarray:
    """Test accuracy (tasks, mechanisms, seeds) after training on each task by itself.

    All mechanisms of a seed see the same batches and the same test examples.
    """
    optimizer = adamw_cosine(learning_rate=LR, decay=WEIGHT_DECAY, trained=training.TRAINED)
    losses = {length: tasks.Loss(network(length)) for length in LENGTHS}
    found = np.full((len(names), len(mechanisms), seeds), np.nan)
    for i, (name, task_key) in enumerate(zip(names, keys_of(key, names), strict=True)):
        sampler, which = sampler_of(name, names, batch)
        loss = losses[sampler.length]
        for j, (label, mechanism) in enumerate(mechanisms.items()):
            start_key, fit_key, test_key = jax.random.split(jax.random.clone(task_key), 3)
            draw = drawing(mechanism)
            params = train.fit(
                jax.random.split(fit_key, seeds),
                training.starts(jax.random.split(start_key, seeds), loss.decoder, draw),
                loss,
                sampler.stream(which),
                optimizer,
                steps=steps,
                log_every=steps,
                journal=journal.scope(f"{name}/{label}"),
                repeats=seeds,
            )
            found[i, j] = tasks.accuracy(
                test_key, loss, params, sampler, which, batches=test_batches
            )
    return found


def drawing(mechanism: Mechanism) -> Callable[[Any], Any]:
    """What such networks draw; see `training.drawing`."""
    return training.drawing(mechanism, layers=LAYERS, heads=HEADS, dimension=WIDTH // HEADS)


@cache
def network(length: int) -> Decoder:
    """The paper's network for sequences of one length."""
    return bare(vocabulary=VOCABULARY, length=length, width=WIDTH, heads=HEADS, layers=LAYERS)


def sampler_of(name: str, names: Sequence[str], size: int) -> tuple[tasks.Sampler, int]:
    """Batches of all tasks that share this one's padded length, and its number among them."""
    beside = [other for other in names if _length(other) == _length(name)]
    drawn = tuple(READ[other] for other in beside)
    return tasks.Sampler(drawn, _length(name), size), beside.index(name)


def keys_of(key: Any, names: Sequence[str]) -> Any:
    """A task's own key, the same whatever other tasks are run."""
    return jax.random.split(key, len(TASKS))[np.array([list(TASKS).index(name) for name in names])]


def measured_levels(
    key: Any, names: Sequence[str], *, batch: int, batches: int
) -> dict[str, Level]:
    """The lines that accuracies stand against, by task."""
    found = {}
    for name, one in zip(names, keys_of(key, names), strict=True):
        sampler, which = sampler_of(name, names, batch)
        targets, scored = tasks.targets(one, sampler, which, batches=batches)
        guess = levels.pooled(levels.guess(targets, scored), scored)
        ceiling = levels.CEILINGS[name]() if name in levels.CEILINGS else np.nan
        known = name in levels.EXPECTED
        expected = levels.expected(name, targets, scored) if known else np.nan
        found[name] = Level(guess, ceiling, expected)
    return found


def _length(name: str) -> int:
    return tasks.bucket(READ[name], LENGTHS)
