"""What the loop, its rows and checkpoints cost over a bare jitted scan."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedrun import train
from feedrun.experiment import silent_journal
from feedrun.runner import journal as journals
from scripts.bench.case import Case, Contestant, Gate

WIDTHS = (784, 50, 50, 10)
STEPS, CHUNK, BATCH = 4000, 200, 50
ADAM: Any = optax.adam(1e-3)


def cases() -> list[Case]:
    """The journal of a run on disk, and none, against the bare loop."""
    contestants = {
        "feedrun, rows and checkpoints on disk": Contestant(_recorded),
        "train.fit alone": Contestant(_silent),
        "bare": Contestant(_bare),
    }
    return [
        Case(
            "training, overhead over a bare jitted loop",
            {"steps": STEPS, "rows": STEPS // CHUNK, "batch": BATCH, "checkpoints": "every 5 s"},
            problem,
            contestants,
            _error,
            tol=1e-5,
            gates=(Gate("bare", at_least=1 / 1.05),),
        )
    ]


def problem(seed: int) -> tuple[Any, train.Stream]:
    """Random weights and a stream of 5,000 random labelled inputs, in float32."""
    rng = np.random.default_rng(seed)
    shapes = itertools.pairwise(WIDTHS)
    params = [jnp.asarray(rng.standard_normal(s) * (2 / s[0]) ** 0.5, "float32") for s in shapes]
    x = jnp.asarray(rng.standard_normal((5000, WIDTHS[0])), "float32")
    y = jnp.asarray(rng.integers(0, WIDTHS[-1], 5000), "int32")
    return params, train.shuffled((x, y), BATCH)


def loss(params, batch, key):
    """Cross-entropy of a ReLU network; nothing is drawn from the key."""
    x, y = batch
    for W in params[:-1]:
        x = jax.nn.relu(x @ W)
    losses = optax.softmax_cross_entropy_with_integer_labels(x @ params[-1], y)
    return losses.mean(), {}


def _recorded(inputs) -> Callable[[], Any]:
    def call():
        with tempfile.TemporaryDirectory() as folder:
            disk = journals.DiskJournal(
                Path(folder), [], every=5.0, mirror=lambda row: None, show=lambda *_: None
            )
            params = _fit(inputs, disk.journal())
            disk.close()
            return params

    return call


def _silent(inputs) -> Callable[[], Any]:
    return lambda: _fit(inputs, silent_journal())


def _fit(inputs, journal):
    params, stream = inputs
    return train.fit(
        jax.random.key(0), params, loss, stream, ADAM,
        steps=STEPS, log_every=CHUNK, journal=journal,
    )  # fmt: skip


def _bare(inputs) -> Callable[[], Any]:
    """The same arithmetic with nothing around it: one jitted scan a chunk, its loss read."""
    params, stream = inputs
    data_key, _ = jax.random.split(jax.random.key(0))

    @partial(jax.jit, donate_argnums=0)
    def chunk(state, data, start):
        def step(state, rows):
            params, opt_state = state
            batch = jax.tree.map(lambda leaf: leaf[rows], data)
            (value, _), grads = jax.value_and_grad(loss, has_aux=True)(params, batch, None)
            updates, opt_state = ADAM.update(grads, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), value

        state, losses = jax.lax.scan(step, state, stream.plan(data_key, start, length=CHUNK))
        return state, losses.mean()

    def call():
        state = jax.tree.map(jnp.copy, (params, ADAM.init(params)))
        for start in range(0, STEPS, CHUNK):
            state, mean = chunk(state, stream.data, start)
            float(mean)
        return state[0]

    return call


def _error(inputs, output, contestant) -> float:
    """Relative difference of the trained weights to those of the bare loop, which is the truth."""
    expected = _bare(inputs)()
    pairs = zip(jax.tree.leaves(output), jax.tree.leaves(expected), strict=True)
    return max(float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b)) for a, b in pairs)
