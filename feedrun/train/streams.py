"""Streams of batches for `train.fit`: what step k sees is a function of (key, k) alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Stream(NamedTuple):
    """Where batches come from.

    data:  pytree of arrays, an argument of the compiled program and never a constant in it.
    plan:  plan(key, start, *, length) -> what steps start .. start+length-1 see, leading axis
           `length`; `start` is traced.
    batch: batch(data, x) -> the batch of one step, from its entry of the plan.
    """

    data: Any
    plan: Callable[..., Any]
    batch: Callable[[Any, Any], Any]


def shuffled(data: Any, batch_size: int) -> Stream:
    """Epochs without replacement over arrays (N, ...); an incomplete last batch is dropped."""
    size = _size(data)
    if not 1 <= batch_size <= size:
        raise ValueError(f"batch_size must lie in 1..{size} (the data), got {batch_size}")
    return Stream(data, Epochs(size, batch_size), _rows)


def grouped(data: Any, batch_size: int, *, groups: int) -> Stream:
    """Epochs within `groups` equal consecutive parts of the data (N, ...), in turns.

    A batch is (which part: int, rows of it): what they have in common, such as a length, can be
    made use of. Step k is of part k mod `groups` whatever the key, so that repeats side by side
    are in one part; each example is as likely as any other.
    """
    size = _size(data)
    if size % groups or not 1 <= batch_size <= size // groups:
        raise ValueError(
            f"{size} examples are not {groups} equal groups of at least batch_size={batch_size}"
        )
    return Stream(data, Turns(Epochs(size // groups, batch_size), groups), _group_and_rows)


def generated(sample: Callable[[Any], Any]) -> Stream:
    """A fresh batch every step: sample(key), its key folded from the step."""
    return Stream((), step_keys, Sampled(sample))


@dataclass(frozen=True)
class Epochs:
    """Plan of `shuffled`: the row numbers of each step, epoch e permuted by fold_in(key, e).

    A value, so that equal sizes are one static argument and share a compiled program.
    """

    size: int
    batch_size: int

    def __call__(self, key: jax.Array, start: Any, *, length: int) -> jax.Array:
        """Row numbers (length, batch_size); permutes once per epoch that the steps may touch."""
        steps = self.size // self.batch_size
        epochs = start // steps + jnp.arange(1 + math.ceil((length - 1) / steps))
        orders = jax.lax.map(lambda e: self._order(jax.random.fold_in(key, e)), epochs)
        rows = orders.reshape(-1, self.batch_size)
        return jax.lax.dynamic_slice_in_dim(rows, start % steps, length)

    def _order(self, key: jax.Array) -> jax.Array:
        used = self.size // self.batch_size * self.batch_size
        return jax.random.permutation(key, self.size)[:used]


@dataclass(frozen=True)
class Turns:
    """Plan of `grouped`: (part, row numbers) of each step, each part in epochs of its own."""

    epochs: Epochs
    groups: int

    def __call__(self, key: jax.Array, start: Any, *, length: int) -> tuple[jax.Array, jax.Array]:
        """Parts (length,) and their row numbers (length, batch_size)."""
        part = jnp.arange(self.groups)
        plan = partial(self.epochs, length=1 + math.ceil((length - 1) / self.groups))
        keys = jax.vmap(partial(jax.random.fold_in, key))(part)
        rows = jax.vmap(plan, (0, None))(keys, start // self.groups)
        rows = jnp.swapaxes(rows + self.epochs.size * part[:, None, None], 0, 1)
        rows = rows.reshape(-1, self.epochs.batch_size)
        rows = jax.lax.dynamic_slice_in_dim(rows, start % self.groups, length)
        return (start + jnp.arange(length)) % self.groups, rows


@dataclass(frozen=True)
class Sampled:
    """Batch of `generated`; a value for the same reason as Epochs."""

    sample: Callable[[Any], Any]

    def __call__(self, data: Any, key: jax.Array) -> Any:
        """The batch drawn with the step's own key; there is no data."""
        return self.sample(key)


def step_keys(key: jax.Array, start: Any, *, length: int) -> jax.Array:
    """One key (length,) a step, folded from the step's number: a plan for generated data."""
    return jax.vmap(partial(jax.random.fold_in, key))(start + jnp.arange(length))


def _size(data: Any) -> int:
    sizes = {len(leaf) for leaf in jax.tree.leaves(data)}
    if len(sizes) != 1:
        raise ValueError(f"data must share one leading axis, got lengths {sorted(sizes)}")
    return sizes.pop()


def _group_and_rows(data: Any, now: Any) -> Any:
    group, index = now
    return group, _rows(data, index)


def _rows(data: Any, index: jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf.at[index].get(mode="promise_in_bounds"), data)
