"""Does SGD find a noisy line?"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from pydantic import PositiveFloat, PositiveInt

from feedrun import train
from feedrun.experiment import Claim, Config, Experiment, Journal, Result

TRUTH = np.asarray([2.0, -1.0], np.float32)


class Line(Config):
    noise: PositiveFloat
    lr: PositiveFloat
    steps: PositiveInt
    repeats: PositiveInt


def loss(line, batch, key):
    x, y = batch
    error = line[0] * x + line[1] - y
    return jnp.mean(error**2), {"largest": jnp.abs(error).max()}


def run(cfg: Line, key, journal: Journal) -> Result:
    def sample(key):
        x, noise = jax.random.normal(key, (2, 32), jnp.float32)
        return x, TRUTH[0] * x + TRUTH[1] + cfg.noise * noise

    starts, keys = jnp.zeros((cfg.repeats, 2), jnp.float32), jax.random.split(key, cfg.repeats)
    lines = train.fit(
        keys, starts, loss, train.generated(sample), optax.sgd(cfg.lr),
        steps=cfg.steps, log_every=10, journal=journal, repeats=cfg.repeats,
    )  # fmt: skip
    error = np.abs(np.asarray(lines) - TRUTH)
    return Result({"slope": error[:, 0].tolist(), "offset": error[:, 1].tolist()}, {"error": error})


def figures(result: Result):
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot(*result.arrays["error"].T, "o")
    return {"errors": figure}


CLAIMS = (
    Claim("slope", "SGD finds the slope: error", "least squares", "derived", "slope", high=0.1),
    Claim("offset", "and the offset", "least squares", "derived", "offset", high=0.1),
)
EXPERIMENT = Experiment(Line, run, CLAIMS, figures)
