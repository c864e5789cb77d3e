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
    sizes = {len(leaf) for leaf in jax.tree.leaves(data)}
    if len(sizes) != 1:
        raise ValueError(f"data must share one leading axis, got lengths {sorted(sizes)}")
    (size,) = sizes
    if not 1 <= batch_size <= size:
        raise ValueError(f"batch_size must lie in 1..{size} (the data), got {batch_size}")
    return Stream(data, Epochs(size, batch_size), _rows)


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
class Sampled:
    """Batch of `generated`; a value for the same reason as Epochs."""

    sample: Callable[[Any], Any]

    def __call__(self, data: Any, key: jax.Array) -> Any:
        """The batch drawn with the step's own key; there is no data."""
        return self.sample(key)


def step_keys(key: jax.Array, start: Any, *, length: int) -> jax.Array:
    """One key (length,) a step, folded from the step's number: a plan for generated data."""
    return jax.vmap(partial(jax.random.fold_in, key))(start + jnp.arange(length))


def _rows(data: Any, index: jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf.at[index].get(mode="promise_in_bounds"), data)
