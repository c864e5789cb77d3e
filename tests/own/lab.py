"""An experiment as a user would write it, outside the package: a noisy line, fitted by SGD."""

import time
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from pydantic import Field

from feedrun import train
from feedrun.experiment import Claim, Config, Experiment, Journal, Result


class Lab(Config):
    """Sizes of the fit; `pause` slows it down, `trouble` makes it fail."""

    steps: Annotated[int, Field(gt=0)]
    log_every: Annotated[int, Field(gt=0)]
    lr: Annotated[float, Field(gt=0)]
    pause: Annotated[float, Field(ge=0)]
    trouble: str


def loss(params, batch, key):
    x, y = batch
    error = (jnp.sum(x * params[None], axis=1) - y) ** 2
    return error.mean(), {"largest": error.max()}


def run(cfg: Lab, key, journal: Journal) -> Result:
    if cfg.trouble == "raise":
        raise RuntimeError("the experiment broke\nand says so at length")
    if cfg.trouble == "no-data":
        raise FileNotFoundError("no such data set")
    data_key, fit_key = jax.random.split(key)
    x = jax.random.normal(data_key, (64, 3), jnp.float32)
    truth = jnp.asarray([1.0, -2.0, 0.5], jnp.float32)
    stream = train.shuffled((x, x @ truth), 8)

    def evaluate(params):
        time.sleep(cfg.pause)
        return {"distance": jnp.linalg.norm(params - truth)}

    params = train.fit(
        fit_key,
        jnp.zeros(3, jnp.float32),
        loss,
        stream,
        optax.sgd(cfg.lr),
        steps=cfg.steps,
        log_every=cfg.log_every,
        journal=journal.scope("train"),
        evaluate=evaluate,
    )
    distance = float(jnp.linalg.norm(params - truth))
    if cfg.trouble == "not-a-number":
        distance = float("nan")
    repeats = [distance, distance + 0.1, distance + 0.2]
    return Result({"distance": distance, "repeats": repeats}, {"params": np.asarray(params)})


def figures(result: Result):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar([0, 1, 2], result.arrays["params"])
    return {"params": figure}


CLAIMS = (
    Claim("close", "SGD finds the line", "textbook", "derived", "distance", high=0.1),
    Claim("far", "SGD ends far from the line", "nobody", "rival", "repeats", low=2.0),
)
EXPERIMENT = Experiment(Lab, run, CLAIMS, figures)
