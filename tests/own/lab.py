"""An experiment as a user would write it, outside the package: a noisy line, fitted by SGD.

Runs that differ only in seed and learning rate can share a program.
"""

import itertools
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from pydantic import Field

from feedrun import train
from feedrun.experiment import Claim, Config, Experiment, Journal, Result, batch

SGD = optax.inject_hyperparams(optax.sgd)(learning_rate=0.0)


class Lab(Config):
    """Sizes of the fit; `pause` slows it down, `trouble` makes it fail."""

    steps: Annotated[int, Field(gt=0)]
    log_every: Annotated[int, Field(gt=0)]
    lr: Annotated[float, Field(gt=0)]
    pause: Annotated[float, Field(ge=0)]
    trouble: str


def truth():
    return jnp.asarray([1.0, -2.0, 0.5], jnp.float32)


def sample(key):
    x = jax.random.normal(key, (8, 3), jnp.float32)
    return x, x @ truth()


def loss(params, batch, key):
    x, y = batch
    error = (jnp.sum(x * params[None], axis=1) - y) ** 2
    return error.mean(), {"largest": error.max()}


STREAM = train.generated(sample)


def many(cfgs: Sequence[Lab], keys, journal: Journal) -> list[Result]:
    cfg, runs = cfgs[0], len(cfgs)
    if cfg.trouble == "raise":
        raise RuntimeError("the experiment broke\nand says so at length")
    if cfg.trouble == "no-data":
        raise FileNotFoundError("no such data set")
    calls = itertools.count(1)

    def evaluate(params):
        time.sleep(cfg.pause)
        trouble(cfg.trouble, next(calls))
        return {"distance": jnp.linalg.norm(params - truth()[None], axis=1)}

    start = jnp.zeros((runs, 3), jnp.float32)
    rates = jnp.asarray([c.lr for c in cfgs], jnp.float32)
    tuned = lambda params, lr: train.tuned(SGD, learning_rate=lr).init(params)  # noqa: E731
    params = train.fit(
        keys,
        start,
        loss,
        STREAM,
        SGD,
        steps=cfg.steps,
        log_every=cfg.log_every,
        journal=journal.scope("train"),
        evaluate=evaluate,
        opt_state=jax.vmap(tuned)(start, rates),
        repeats=runs,
    )
    return [result(cfg, np.asarray(row)) for row in params]


def trouble(kind: str, call: int) -> None:
    """What goes wrong at the third look at the params."""
    if call < 3:
        return
    if kind == "raise-late":
        raise RuntimeError("broke at the third look")
    if kind == "hang":
        Path("hung").touch()
        time.sleep(1e6)
    while kind == "hold" and not Path("go").exists():
        time.sleep(0.01)
    if kind == "die-once" and not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)


def result(cfg: Lab, params: np.ndarray) -> Result:
    distance = float(np.linalg.norm(params - np.asarray(truth())))
    if cfg.trouble == "not-a-number":
        distance = float("nan")
    repeats = [distance, distance + 0.1, distance + 0.2]
    return Result({"distance": distance, "repeats": repeats}, {"params": params})


def figures(result: Result):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar([0, 1, 2], result.arrays["params"])
    return {"params": figure}


CLAIMS = (
    Claim("close", "SGD finds the line", "textbook", "derived", "distance", high=0.1),
    Claim("far", "SGD ends far from the line", "nobody", "rival", "repeats", low=2.0),
)
EXPERIMENT = Experiment(Lab, batch.alone(many), CLAIMS, figures, many=many, numbers=("lr",))
