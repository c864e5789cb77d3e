"""Two noisy lines fitted side by side: for tests with several processes."""

import itertools

import jax
import jax.numpy as jnp
import lab
import numpy as np
import optax

from feedrun import train
from feedrun.experiment import Claim, Config, Experiment, Journal, Result


class Pair(Config):
    """`hold` waits at the third chunk as the lab does; `trouble` is a process that breaks."""

    steps: int
    hold: bool
    trouble: int


def run(cfg: Pair, key, journal: Journal) -> Result:
    data_key, fit_key = jax.random.split(key)
    x = jax.random.normal(data_key, (64, 3), jnp.float32)
    y = x @ jnp.asarray([1.0, -2.0, 0.5], jnp.float32)

    calls = itertools.count(1)

    def evaluate(params):
        lab.trouble("hold" if cfg.hold else "none", next(calls))
        if cfg.trouble == jax.process_index():
            raise RuntimeError("broken here")
        return {"norm": jnp.linalg.norm(params, axis=1)}

    params = train.fit(
        jax.random.split(fit_key, 2),
        jnp.zeros((2, 3), jnp.float32),
        lab.loss,
        train.shuffled((x, y), 8),
        optax.adam(0.05),
        steps=cfg.steps,
        log_every=10,
        journal=journal,
        evaluate=evaluate,
        repeats=2,
    )
    return Result({"norm": jnp.linalg.norm(params, axis=1).tolist()}, {"w": np.asarray(params)})


CLAIMS = (Claim("long", "The weights are not small", "none", "derived", "norm", low=1.0),)
EXPERIMENT = Experiment(Pair, run, CLAIMS, lambda result: {})
