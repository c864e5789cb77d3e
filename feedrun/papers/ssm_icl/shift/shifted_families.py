"""Families that a trained network has not seen: what it knew of the prior or the noise is wrong.

    slow      LG4 with kappa in [0.98, 0.999]
    noisy     LG4 with four times the variance of the observation's noise
    heavy     LG4 with Student-t(4) noise of the same variance
    switch    half of a sequence of LG4, then half of another, independent one
    rougher   CNR with correlation 0.99, after training at 0.9

In each, `bayes` is the test oracle, which knows the shift, and estimators["prior"] the training
oracle, the Bayes predictor of what the network was trained on. On `slow` and
`noisy` the test oracle is a bank of draws from the shifted prior; on `switch` it knows when the
second sequence begins, and starts anew. On `heavy` there is only one: both oracles see variances
alone, which are unchanged, so the training oracle is the best that Gaussian filters can do, but
not Bayes, and a network may beat it. The genie of `heavy` is the best linear filter, no bound.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.papers.ssm_icl.families import Batch, Family, Predictor, catalogue, linear_gaussian
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families.linear_gaussian import LG4_NOISE

SLOW_DECAYS, LOUDER, DEGREES, TRAINED_RHO, TESTED_RHO = (0.98, 0.999), 4.0, 4.0, 0.9, 0.99
"""Range of kappa, factor on the noise's variance, degrees of freedom, correlations of CNR."""

SHIFTS = ("slow", "noisy", "heavy", "switch", "rougher")


def linear_shifts(
    trained: Family, bank_key: Key[Array, ""], names: Collection[str], *, bank: int
) -> dict[str, Family]:
    """LG4 itself ("unshifted") and those of its shifts that are in `names`.

    `trained` is the LG4 that networks learned from; `bank`: draws of a shifted prior.
    """
    slow_key, noisy_key = jax.random.split(bank_key)
    prior = cast(Predictor, trained.bayes)
    alone = trained._replace(estimators={})

    def moved(key: Any, **changes: Any) -> Family:
        draw = partial(linear_gaussian.lg4, **changes)
        tasks = jax.jit(partial(draw, count=bank))(key)
        return trained._replace(
            sample=linear_gaussian.sampler(draw),
            bayes=oracles.bank_predictor(tasks),
            estimators={"prior": prior},
        )

    switch = trained._replace(
        sample=switched(trained.sample),
        genie=restarted(trained.genie),
        bayes=restarted(prior),
        estimators={"prior": prior},
    )
    makers: dict[str, Callable[[], Family]] = {
        "slow": lambda: moved(slow_key, decays=SLOW_DECAYS),
        "noisy": lambda: moved(noisy_key, noise=LOUDER * LG4_NOISE),
        "heavy": lambda: alone._replace(sample=heavy_tailed(trained.sample)),
        "switch": lambda: switch,
    }
    return {"unshifted": alone} | {k: make() for k, make in makers.items() if k in names}


def coloured_shifts(names: Collection[str]) -> dict[str, Family]:
    """CNR at the training correlation ("unshifted"), and at a higher one where `names` has it."""
    trained, tested = (catalogue.coloured(rho=rho) for rho in (TRAINED_RHO, TESTED_RHO))
    believing = partial(_believing, cast(Predictor, trained.bayes))
    rougher = {"rougher": tested._replace(estimators={"prior": believing})}
    return {"unshifted": trained._replace(estimators={})} | (rougher if "rougher" in names else {})


def _believing(predict: Predictor, batch: Batch) -> Float[Array, "B T 1"]:
    """A predictor that takes the noise for that of training."""
    rho = jnp.full_like(batch.task.rho, TRAINED_RHO)
    return predict(batch._replace(task=batch.task._replace(rho=rho)))


def heavy_tailed(sample: Callable[..., Batch]) -> Callable[..., Batch]:
    """The systems of `sample`, with Student-t noise of the same variance on y."""

    def sampled(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        path_key, noise_key = jax.random.split(key)
        batch = sample(path_key, count=count, length=length)
        unit = ((DEGREES - 2) / DEGREES) ** 0.5  # a t variable has variance d / (d - 2)
        draws = unit * jax.random.t(noise_key, DEGREES, batch.targets.shape)
        y = batch.hidden["signal"] + jnp.sqrt(batch.task.r)[:, None, None] * draws
        return batch._replace(inputs=linear_gaussian.tokens(y), targets=y)

    return sampled


def switched(sample: Callable[..., Batch]) -> Callable[..., Batch]:
    """Two independent sequences of `sample`, one after the other; the task is the pair of theirs.

    Example row (LG4, T = 4): inputs [0,1] [y1,0] [y2,0] [y3,0]; y1 y2 of one system, y3 y4 of
    another. Nothing in the tokens says so.
    """

    def sampled(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        one_key, two_key = jax.random.split(key)
        half = length // 2
        one = sample(one_key, count=count, length=half)
        two = sample(two_key, count=count, length=length - half)
        y, hidden = jax.tree.map(
            lambda a, b: jnp.concatenate([a, b], axis=1),
            (one.targets, one.hidden),
            (two.targets, two.hidden),
        )
        task = (one.task, two.task)
        return Batch(linear_gaussian.tokens(y), y, one.kept * two.kept, y[..., :0], task, hidden)

    return sampled


def restarted(predict: Predictor) -> Predictor:
    """A predictor that begins anew, with the second task, in the middle of a switched sequence."""

    def predicted(batch: Batch) -> Float[Array, "B T O"]:
        half = batch.targets.shape[1] // 2
        halves = (batch.targets[:, :half], batch.targets[:, half:])
        return jnp.concatenate(
            [
                predict(batch._replace(targets=y, inputs=linear_gaussian.tokens(y), task=task))
                for y, task in zip(halves, batch.task, strict=True)
            ],
            axis=1,
        )

    return predicted
