"""Tuned training, a trial a rate and then seeds at the best; curves that survive a kill."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedrun.experiment import Journal
from feedrun.train import loop


class Tuned(NamedTuple):
    """Networks trained at the rate that was best on validation, and how it was found.

    params: (R, ...), R seeds; lr: the rate; trials: rate -> its validation score, lower is better.
    """

    params: Any
    lr: float
    trials: dict[float, float]


class Best(NamedTuple):
    """What was trained at the best rate; that rate; scores of all rates, lower is better."""

    trained: Any
    rate: float
    scores: np.ndarray


Fit = Callable[[Any, Any, Any, Journal], Any]
"""fit(keys (R,), params, opt_state, journal) -> params, of R networks."""

Train = Callable[[Any, Sequence[float], Journal], Any]
"""train(keys, rates (R,), journal) -> R networks, each trained with its own rate."""


def best_of(
    keys: tuple[Any, Any],
    rates: Sequence[float],
    *,
    train: Train,
    score: Callable[[Any], np.ndarray],
    journals: tuple[Journal, Journal],
    seeds: int,
    trial: Train | None = None,
) -> Best:
    """One trial a rate, then `seeds` networks at the rate of the lowest score.

    keys, journals: of the trials and of the seeds. trial: where it is not a `train` of `rates`.
    """
    trial_keys, seed_keys = keys
    scores = score((trial or train)(trial_keys, rates, journals[0]))
    rate = float(rates[int(np.argmin(scores))])
    return Best(train(seed_keys, [rate] * seeds, journals[1]), rate, scores)


def tuned_fit(
    key: Any,
    rates: Sequence[float],
    *,
    start: Callable[[Any], Any],
    fit: Fit,
    score: Callable[[Any], np.ndarray],
    optimizer: optax.GradientTransformation,
    journal: Journal,
    seeds: int | None = None,
    trial: Fit | None = None,
) -> Tuned:
    """`best_of` for networks that `start` and `fit` make, trials on a seed of their own.

    start(keys) -> params (R, ...); score(params) -> (R,) on validation data. By default as many
    seeds as rates, so that both parts share one compiled program, and a trial is as long as a
    `fit`. The optimizer has a `learning_rate` that `train.tuned` can change.
    """
    # As one program: it has as many small operations as there are shapes, each to be compiled.
    begun = jax.jit(jax.vmap(lambda p, lr: loop.tuned(optimizer, learning_rate=lr).init(p)))

    def trained(fit, key, lrs, journal):
        start_keys, fit_keys = jax.random.split(key, (2, len(lrs)))
        params = start(start_keys)
        return fit(fit_keys, params, begun(params, jnp.asarray(lrs, jnp.float32)), journal)

    trial_key, seed_key = jax.random.split(key)
    params, lr, scores = best_of(
        (trial_key, seed_key),
        rates,
        train=partial(trained, fit),
        trial=partial(trained, trial or fit),
        score=score,
        journals=(journal.scope("tuning"), journal.scope("seeds")),
        seeds=seeds or len(rates),
    )
    return Tuned(params, lr, dict(zip(map(float, rates), map(float, scores), strict=True)))


def remembering(
    journal: Journal, history: np.ndarray, names: Sequence[str], *, log_every: int
) -> Journal:
    """The journal, which also writes metrics `names` to `history`, kept with the state.

    history: (rows, len(names)) or, with repeats, (rows, len(names), R); changed in place.
    """

    def log(step, row):
        history[-(-step // log_every) - 1] = [row[name] for name in names]
        journal.log(step, row)

    def save(step, state, final=False):
        return journal.save(step, (state, history), final=final)

    def restore(like):
        if (found := journal.restore((like, history))) is None:
            return None
        step, (state, history[:]) = found
        return step, state

    return journal._replace(log=log, save=save, restore=restore)
