"""Training of one classifier for the tasks of Long Range Arena: several rates or seeds at once.

AdamW with warm-up and cosine, as Long Range Arena's configurations have it (arXiv 2011.04006).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedrun import train
from feedrun.experiment import Journal
from feedrun.models.classifier import Classifier
from feedrun.tasks.lra.sequences import Buckets, Sequences
from feedrun.train import streams
from feedrun.train.optim import adamw_cosine, optax_cosine
from feedrun.train.slabs import in_slabs
from feedrun.train.tune import remembering

CURVES = ("train/loss", "train/accuracy", "valid/accuracy")
CLIP = 1.0
"""Largest norm of a gradient."""


class Program(NamedTuple):
    """What the compiled programs of one mechanism depend on; shared by all its trainings.

    loss(params, batch, key) of a batch of `streams.grouped` over sequences.Buckets;
    accuracy(params, data) -> (R,), that of every repeat on a split.
    """

    model: Classifier
    loss: Callable[..., Any]
    optimizer: optax.GradientTransformation
    accuracy: Callable[..., Any]


class Trained(NamedTuple):
    """Params with a leading axis of repeats, and rows (rows, CURVES, repeats) of the training."""

    params: Any
    curves: np.ndarray


def program(
    model: Classifier,
    widths: tuple[int, ...],
    *,
    steps: int,
    batch: int,
    warmup: int,
    decay: float,
    drop: bool,
) -> Program:
    """The training of `steps` steps with groups of these `widths`.

    `drop`: is there dropout, which needs keys?
    """
    return Program(
        model,
        _of_group([partial(_loss, model, drop, width) for width in widths]),
        adamw(steps=steps, warmup=warmup, decay=decay),
        partial(_accuracies, jax.jit(partial(_correct, model)), batch),
    )


def adamw(*, steps: int, warmup: int, decay: float) -> optax.GradientTransformation:
    """AdamW on "weights", up in `warmup` steps and down to 0 by a cosine; see `train.tuned`."""
    return adamw_cosine(
        optax_cosine(steps, warmup=warmup, last=0.0),
        b2=0.98,
        decay=decay,
        trained={"weights": True, "drawn": False},
        clip=CLIP,
        rate="after shape",
    )


def trained(
    program: Program,
    keys: jax.Array,
    rates: Sequence[float],
    data: Buckets,
    valid: Sequences,
    *,
    batch: int,
    steps: int,
    log_every: int,
    journal: Journal,
) -> Trained:
    """Train a repeat for each of `keys` (R,) with its own of `rates`, side by side."""
    init_keys, fit_keys = _halves(keys)
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(program.model.init, init_keys))
    start = jax.vmap(lambda p, r: train.tuned(program.optimizer, learning_rate=r).init(p))
    history = np.zeros((-(-steps // log_every), len(CURVES), len(rates)))
    params = train.fit(
        fit_keys,
        params,
        program.loss,
        streams.grouped(tuple(map(jnp.asarray, data.data)), batch, groups=len(data.widths)),
        program.optimizer,
        steps=steps,
        log_every=log_every,
        journal=remembering(journal, history, CURVES, log_every=log_every),
        evaluate=lambda params: {"valid/accuracy": program.accuracy(params, valid)},
        opt_state=start(params, jnp.asarray(rates, jnp.float32)),
        repeats=len(rates),
    )
    return Trained(params, history)


@jax.jit
def _halves(keys):
    """For initial params and for training, of every repeat."""
    pairs = jax.vmap(jax.random.split)(keys)
    return pairs[:, 0], pairs[:, 1]


def _of_group(losses: Sequence[Any]):
    """loss(params, (group, rows), key): that of the group, and no other is computed.

    Its gradient is taken inside the choice: outside, what one group's forward pass keeps would be
    written, as zeros, for all others too.
    """

    def chosen(functions, params, batch, key):
        return jax.lax.switch(batch[0], functions, params, batch[1], key)

    @jax.custom_vjp
    def loss(params, batch, key):
        return chosen(losses, params, batch, key)

    def forward(params, batch, key):
        both = [jax.value_and_grad(one, has_aux=True) for one in losses]
        return chosen(both, params, batch, key)

    def backward(gradient, cotangents):
        return jax.tree.map(lambda g: g * cotangents[0], gradient), None, None

    loss.defvjp(forward, backward)
    return loss


def _loss(model: Classifier, drop: bool, width: int, params, rows, key):
    """Cross-entropy and accuracy of rows (tokens, lengths, labels) of at most `width` tokens."""
    tokens, lengths, labels = rows
    tokens = tokens[..., :width]
    if drop:
        keys = jax.random.split(key, len(labels))
        logits = jax.vmap(partial(model.apply, params))(tokens, lengths, keys)
    else:
        logits = jax.vmap(partial(model.apply, params))(tokens, lengths)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, {"accuracy": (logits.argmax(-1) == labels).mean(dtype=loss.dtype)}


def _accuracies(correct, batch: int, params, data: Sequences) -> np.ndarray:
    """The accuracy (R,) of every repeat on a split, `batch` sequences at a time."""
    return in_slabs(partial(correct, params), data, batch, axis=1).mean(axis=1)


def _correct(model: Classifier, params, data: Sequences):
    """Which answers (R, B) are right."""

    def one(params, example):
        return model.apply(params, example.tokens, example.lengths).argmax() == example.labels

    return jax.vmap(lambda params: jax.vmap(partial(one, params))(data))(params)
