"""Eight learning rates in one process, with one compiled program and with one each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from feedrun import train
from feedrun.experiment import silent_journal
from feedrun.train import loop
from scripts.bench.case import Case, Contestant, Gate
from scripts.bench.loop import loss, problem

RATES = np.geomspace(1e-4, 1e-2, 8)
STEPS = 20
PROGRAMS: Any = loop._chunk  # the jitted function, which counts what it has compiled


def cases() -> list[Case]:
    """One case; an output is (final losses, programs compiled)."""
    contestants = {
        "feedrun, train.tuned": Contestant(_traced),
        "a new optimizer a rate": Contestant(_new),
    }
    gates = (Gate("a new optimizer a rate", at_least=5),)
    sizes = {"rates": len(RATES), "steps": STEPS}
    return [Case("a sweep over numbers", sizes, problem, contestants, _error, 1e-5, gates=gates)]


def _traced(inputs: Any) -> Callable[[], tuple[list[float], int]]:
    """One optimizer for all; each call starts with nothing compiled."""
    adam = optax.inject_hyperparams(optax.adam)(learning_rate=0.0)
    return lambda: _swept(inputs, lambda rate: train.tuned(adam, learning_rate=rate))


def _new(inputs: Any) -> Callable[[], tuple[list[float], int]]:
    return lambda: _swept(inputs, lambda rate: optax.adam(float(rate)))


def _swept(
    inputs: Any, optimizer: Callable[[float], Any], rates: Any = RATES
) -> tuple[list[float], int]:
    """Final loss of a fit at each rate, and how many programs that took."""
    params, stream = inputs
    jax.clear_caches()
    losses: list[float] = []
    journal = silent_journal(lambda step, row: losses.append(row["train/loss"]))
    for rate in rates:
        key, adam = jax.random.key(0), optimizer(rate)
        train.fit(key, params, loss, stream, adam, steps=STEPS, log_every=STEPS, journal=journal)
    return losses, PROGRAMS._cache_size()


def _error(inputs: Any, output: tuple[list[float], int], contestant: Contestant) -> float:
    """Relative error of the first and the last loss; infinite where ours compiled twice."""
    losses, programs = output
    if contestant.make is _traced and programs != 1:
        return np.inf
    ends = [RATES[0], RATES[-1]]
    exact, _ = _swept(inputs, lambda rate: optax.adam(float(rate)), ends)
    return float(np.max(np.abs(np.subtract([losses[0], losses[-1]], exact)) / np.abs(exact)))
