"""Tuned training, a trial a rate and then seeds at the best; curves that survive a kill."""

from collections.abc import Callable, Sequence
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


Fit = Callable[[Any, Any, Any, Journal], Any]
"""fit(keys (R,), params, opt_state, journal) -> params, of R networks."""


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
    """One trial a rate on a seed of its own, then `seeds` networks at the best rate.

    start(keys) -> params (R, ...); score(params) -> (R,) on validation data. By default as many
    seeds as rates, so that both parts share one compiled program, and a trial is as long as a
    `fit`. The optimizer has a `learning_rate` that `train.tuned` can change.
    """
    trial_key, seed_key = jax.random.split(key)
    # As one program: it has as many small operations as there are shapes, each to be compiled.
    begun = jax.jit(jax.vmap(lambda p, lr: loop.tuned(optimizer, learning_rate=lr).init(p)))

    def trained(key, lrs, fit, journal):
        start_keys, fit_keys = jax.random.split(key, (2, len(lrs)))
        params = start(start_keys)
        return fit(fit_keys, params, begun(params, jnp.asarray(lrs, jnp.float32)), journal)

    tries = trained(trial_key, list(rates), trial or fit, journal.scope("tuning"))
    scores = score(tries)
    best = float(rates[int(np.argmin(scores))])
    params = trained(seed_key, [best] * (seeds or len(rates)), fit, journal.scope("seeds"))
    return Tuned(params, best, dict(zip(map(float, rates), map(float, scores), strict=True)))


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
