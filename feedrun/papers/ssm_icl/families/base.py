"""What a task family is: batches of sequences, and predictors that know more or less.

A family draws sequences, each with a task theta of its own; learning in context is to infer
theta, and the state that moves with it, from one sequence. Everything is sampled on the device:
`family.sample(key, count=B, length=T)` may be called inside jit (both sizes are static).

    families.keys(key)          -> Keys(library, train, tune, test): streams that never meet
    family.sample(key, ...)     -> Batch(inputs, targets, kept, regressors, task, hidden)
    family.bayes(batch)         -> predictions (B, T, O) of the best predictor of its inputs
    family.estimators["ridge"](batch), family.genie(batch)    likewise

A model maps inputs (B, S, I) to outputs (B, S, O), causally; what it says of target t stands at
token `family.stride * t`: predictions = outputs[:, :: family.stride]. Numbers are predicted by
their mean under squared error, symbols by log-probabilities under cross-entropy.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

Scalar = float | Float[Array, ""]
"""A number, known when a program is compiled or traced through it."""


class Batch(NamedTuple):
    """B sequences of T targets. Example row (LG, T = 3): inputs [0,1] [y1,0] [y2,0]; y1 y2 y3.

    inputs:     (B, S, I) tokens, S = stride * T; nothing of target t stands at or before its token.
    targets:    (B, T, O) numbers or (B, T) symbols.
    kept:       (B,) 1 where the sequence counts, 0 where the family drops it (never most).
    regressors: (B, T, D), known before target t; D = 0 where a family has none.
    task:       the sequence's theta, a pytree with leading axis B: for the genie and for probes.
    hidden:     name -> (B, T, ...): states, noise-free signals, modes: for probes.
    """

    inputs: Float[Array, "B S I"]
    targets: Float[Array, "B T O"] | Int[Array, "B T"]
    kept: Float[Array, "B"]
    regressors: Float[Array, "B T D"]
    task: Any
    hidden: Mapping[str, Array]


Predictor = Callable[[Batch], Float[Array, "B T O"]]
"""Predictions of all targets, each from what is revealed before it (the genie: and the task)."""


class Family(NamedTuple):
    """A distribution over sequences with its reference predictors; `bayes` is what to reach.

    genie knows the task, which no one who sees the inputs alone can: a lower bound on any risk.
    bayes is the posterior predictive mean, exact where `exact`, else an upper bound on its risk;
    None where neither is known.
    """

    sample: Callable[..., Batch]
    inputs: int
    outputs: int
    kind: Literal["number", "symbol"]
    genie: Predictor
    bayes: Predictor | None
    estimators: Mapping[str, Predictor]
    exact: bool = True
    stride: int = 1


class Keys(NamedTuple):
    """Streams of randomness that are disjoint by construction: siblings of one split.

    library: what is drawn once and frozen (finite task sets, banks), shared by training and test.
    train:   batches of training, fold_in(train, step).
    tune:    sequences on which learning rates are chosen.
    test:    sequences on which results are reported, the same for every arm.
    """

    library: Key[Array, ""]
    train: Key[Array, ""]
    tune: Key[Array, ""]
    test: Key[Array, ""]


def keys(key: Key[Array, ""]) -> Keys:
    """The four streams of one root key."""
    return Keys(*jax.random.split(key, 4))


def squared_error(
    predictions: Float[Array, "B T O"], targets: Float[Array, "B T O"]
) -> Float[Array, "B T"]:
    """|prediction - target|^2, summed over coordinates."""
    return jnp.sum((predictions - targets) ** 2, axis=-1)


def cross_entropy(
    log_probabilities: Float[Array, "B T V"], targets: Int[Array, "B T"]
) -> Float[Array, "B T"]:
    """-log p(target) in nats."""
    return -jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]


def divergence(
    truth: Float[Array, "B T V"], log_probabilities: Float[Array, "B T V"]
) -> Float[Array, "B T"]:
    """KL(truth || predicted) in nats; both are log-probabilities."""
    return jnp.sum(jnp.exp(truth) * (truth - log_probabilities), axis=-1)


def excess(
    family: Family, predictions: Float[Array, "B T O"], reference: Float[Array, "B T O"]
) -> Float[Array, "B T"]:
    """How much worse than `reference` (bayes or genie) in expectation, without the noise of y.

    (f - m)^2 for numbers, KL(m || f) for symbols: its mean is the difference of the risks,
    with a far smaller standard error.
    """
    distance = squared_error if family.kind == "number" else lambda f, m: divergence(m, f)
    return distance(predictions, reference)


def loss(family: Family, predictions: Float[Array, "B T O"], batch: Batch) -> Float[Array, "B T"]:
    """Squared error or cross-entropy of every target, 0 where a sequence does not count."""
    error = squared_error if family.kind == "number" else cross_entropy
    return error(predictions, batch.targets) * batch.kept[:, None]


def shifted(x: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
    """x_{t-1} at t, zeros at the first."""
    return jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]


def first_flag(like: Float[Array, "B T D"]) -> Float[Array, "B T 1"]:
    """1 at the first position, 0 after."""
    return jnp.zeros_like(like[..., :1]).at[:, 0].set(1)
