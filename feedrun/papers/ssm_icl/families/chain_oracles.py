"""Predictors of the families of symbols: log-probabilities (B, T, V), each from the past."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from feedrun.maths import markov
from feedrun.papers.ssm_icl.families import chains
from feedrun.papers.ssm_icl.families.base import Batch
from feedrun.papers.ssm_icl.families.chains import Switching


def counts(batch: Batch, *, symbols: int, alpha: float, order: int) -> Float[Array, "B T V"]:
    """Counts of what followed the last `order` symbols, plus alpha; order 0: the unigram predictor.

    The first `order` symbols, which have no context, are uniform and count nowhere.
    """
    x = batch.targets
    context = chains.contexts(x, symbols=symbols, order=order)
    tail = markov.add_constant(
        x[:, order:],
        context[:, order:],
        symbols=symbols,
        contexts=symbols**order,
        alpha=alpha,
    )
    return _after_uniform(tail, order)


def known_rows(batch: Batch, *, symbols: int, order: int) -> Float[Array, "B T V"]:
    """The rows that moved the chain."""
    context = chains.contexts(batch.targets, symbols=symbols, order=order)
    found = jnp.take_along_axis(batch.task, context[..., None], axis=1)
    return _after_uniform(found[:, order:], order)


def forward(batch: Batch, *, library: Switching) -> Float[Array, "B T V"]:
    """SM: the forward filter's mixture of the library's rows, exact."""
    rows = _rows(batch, library)
    return jax.nn.logsumexp(jnp.log(beliefs(batch, library=library))[..., None] + rows, axis=2)


def beliefs(batch: Batch, *, library: Switching) -> Float[Array, "B T K"]:
    """SM: P(mode_t | x_1 .. x_{t-1})."""
    rows = _rows(batch, library)
    seen = jnp.take_along_axis(rows, batch.targets[..., None, None], axis=-1)[..., 0]
    uniform = jnp.full((chains.MODES,), 1 / chains.MODES)
    return markov.forward_beliefs(uniform, chains.mode_transitions(), jnp.exp(seen))


def known_modes(batch: Batch, *, library: Switching) -> Float[Array, "B T V"]:
    """SM: the row of the mode that moved."""
    rows, mode = _rows(batch, library), batch.task
    return jnp.take_along_axis(rows, mode[..., None, None], axis=2)[:, :, 0]


def _rows(batch: Batch, library: Switching) -> Float[Array, "B T K V"]:
    """What every mode says of x_t, given x_{t-1}; the first symbol is uniform."""
    found = library.rows[:, batch.targets[:, :-1]].transpose(1, 2, 0, 3)
    first = jnp.full_like(found[:, :1], -jnp.log(chains.MODE_SYMBOLS))
    return jnp.concatenate([first, found], axis=1)


def _after_uniform(tail: Float[Array, "B S V"], order: int) -> Float[Array, "B T V"]:
    """`order` uniform rows, then `tail`."""
    count, _, symbols = tail.shape
    head = jnp.full((count, order, symbols), -jnp.log(symbols), tail.dtype)
    return jnp.concatenate([head, tail], axis=1)
