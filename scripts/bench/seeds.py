"""Eight seeds of a small transformer side by side on two host devices, or one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedrun import train
from feedrun.experiment import silent_journal
from feedrun.models.transformer import transformer
from scripts.bench.case import Case, Contestant, Gate

SEEDS, STEPS, CHUNK = 8, 60, 20
BATCH, LENGTH, VOCABULARY = 8, 64, 64
MODEL = transformer(vocabulary=VOCABULARY, length=LENGTH, width=32, heads=4, layers=2)
ADAM: Any = optax.adam(1e-3)


def cases() -> list[Case]:
    """The seeds as `repeats` of one fit, against as many fits; both compile nothing when timed."""
    contestants = {
        "repeats=8 over the host devices": Contestant(_together),
        "8 fits one after another": Contestant(_one_by_one),
        "repeats=8, vmap in each device": Contestant(lambda keys: _together(keys, batching="vmap")),
        "repeats=8, one device": Contestant(
            lambda keys: _together(keys, devices=jax.devices()[:1])
        ),
    }
    sizes = {"seeds": SEEDS, "steps": STEPS, "layers": 2, "width": 32, "T": LENGTH, "batch": BATCH}
    return [
        Case(
            "seeds of a small transformer, together over one by one",
            sizes,
            lambda seed: jax.random.split(jax.random.key(seed), SEEDS),
            contestants,
            _error,
            tol=1e-5,
            gates=(Gate("8 fits one after another", at_least=1.7),),
        )
    ]


def sample(key):
    """Sequences (BATCH, LENGTH) of random tokens whose second half repeats the first."""
    half = jax.random.randint(key, (BATCH, LENGTH // 2), 0, VOCABULARY)
    return jnp.concatenate([half, half], axis=1)


STREAM = train.generated(sample)


def loss(params, tokens, key):
    """Cross-entropy of the next token; nothing is drawn from the key."""
    logits = jax.vmap(lambda x: MODEL.apply(params, x))(tokens)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])
    return losses.mean(), {}


INIT = jax.jit(MODEL.init)
INITS = jax.jit(jax.vmap(MODEL.init))


def _together(keys, **layout) -> Callable[[], Any]:
    def call():
        return _curve(
            jax.random.clone(keys), INITS(jax.random.clone(keys)), repeats=SEEDS, **layout
        )

    return call


def _one_by_one(keys) -> Callable[[], Any]:
    return lambda: np.stack([_curve(key, INIT(key)) for key in keys], axis=1)


def _curve(key, params, **layout) -> np.ndarray:
    """Mean training losses, a row a chunk; with repeats a column a seed."""
    losses = []
    journal = silent_journal(lambda step, row: losses.append(row["train/loss"]))
    train.fit(
        key, params, loss, STREAM, ADAM, steps=STEPS, log_every=CHUNK, journal=journal, **layout
    )
    return np.asarray(losses)


def _error(keys, output, contestant) -> float:
    """Largest relative difference of the curves from those of the seeds one by one."""
    expected = _one_by_one(keys)()
    return float(np.max(np.abs(output - expected) / expected))
