"""Sequences with targets, batch by batch, and how decoders do on them: several tasks, one program.

A task is a number that the compiled program takes, so that tasks padded to one length share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.models.decoder import Decoder
from feedrun.papers.slay.decoders import training
from feedrun.tasks.synthetic import Example, Task, padded
from feedrun.train import streams


class Batch(NamedTuple):
    """Examples with a leading batch axis; `classes`: how many tokens an answer can be, (B,)."""

    examples: Example
    classes: Any


@dataclass(frozen=True)
class Sampler:
    """batch(which, key): `size` examples of tasks[which], padded to `length`.

    A value, so that equal samplers share compiled programs.
    """

    tasks: tuple[Task, ...]
    length: int
    size: int

    def __call__(self, which: Any, key: Any) -> Batch:
        """The batch of one step."""
        keys = jax.random.split(key, self.size)
        return jax.lax.switch(which, [partial(self._drawn, task) for task in self.tasks], keys)

    def stream(self, which: int) -> streams.Stream:
        """Fresh batches of one of the tasks, for `train.fit`."""
        return streams.Stream(jnp.asarray(which), streams.step_keys, self)

    def _drawn(self, task: Task, keys: Any) -> Batch:
        examples = jax.vmap(lambda key: padded(task.sample(key), self.length))(keys)
        return Batch(examples, jnp.full(self.size, task.vocabulary))


@dataclass(frozen=True)
class Loss:
    """Mean cross-entropy over the scored positions of a batch; a value, as `Sampler` is."""

    decoder: Decoder

    def __call__(self, params: Mapping[str, Any], batch: Batch, key: Any):
        """(nats, {"accuracy"})."""
        logits, (_, targets, scored) = self.logits(params, batch), batch.examples
        nll = negative_log_softmax(logits, targets)
        weight = scored.astype(nll.dtype) / jnp.maximum(scored.sum(), 1).astype(nll.dtype)
        return (nll * weight).sum(), {"accuracy": ((logits.argmax(-1) == targets) * weight).sum()}

    def logits(self, params: Mapping[str, Any], batch: Batch) -> Any:
        """(B, T, V), minus infinity beyond the classes of the task."""
        logits = jax.vmap(partial(training.logits, self.decoder, params))(batch.examples.tokens)
        answer = jnp.arange(logits.shape[-1])[None] < batch.classes[:, None]
        return jnp.where(answer[:, None], logits, -jnp.inf)


def negative_log_softmax(logits: Any, targets: Any) -> Any:
    """-log softmax at the targets."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)[..., 0]


def accuracy(
    key: Any, loss: Loss, params: Any, sampler: Sampler, which: int, *, batches: int
) -> np.ndarray:
    """Share of scored positions that R networks get right on `batches` fresh batches: (R,)."""
    keys = jax.random.split(key, batches)
    return np.asarray(_accuracy(params, jnp.asarray(which), keys, loss=loss, sampler=sampler))


@partial(jax.jit, static_argnames=("loss", "sampler"))
def _accuracy(params, which, keys, *, loss: Loss, sampler: Sampler):
    def counts(key):
        batch = sampler(which, key)
        _, targets, scored = batch.examples
        right = jax.lax.map(
            lambda p: (loss.logits(p, batch).argmax(-1) == targets) & scored, params
        )
        return right.sum(axis=(1, 2)), scored.sum()

    right, scored = jax.lax.map(counts, keys)
    return right.sum(axis=0) / scored.sum()


def targets(key: Any, sampler: Sampler, which: int, *, batches: int) -> tuple[Any, Any]:
    """Targets of one task and where they are scored, numpy arrays (N, T)."""
    drawn = _examples(jnp.asarray(which), jax.random.split(key, batches), sampler=sampler)
    whole = [np.asarray(x).reshape(-1, x.shape[-1]) for x in drawn]
    return whole[1], whole[2]


@partial(jax.jit, static_argnames="sampler")
def _examples(which, keys, *, sampler: Sampler):
    return jax.lax.map(lambda key: sampler(which, key).examples, keys)


def bucket(task: Task, lengths: Sequence[int]) -> int:
    """The shortest of `lengths` that a task fits into; ValueError where none does."""
    fits = [length for length in sorted(lengths) if length >= task.length]
    if not fits:
        raise ValueError(f"no length among {list(lengths)} holds {task.length} tokens")
    return fits[0]
