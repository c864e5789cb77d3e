"""The gain of a filter and a network's effective gain: how much a prediction moves with each y.

The Kalman predictor of a number with state a z + noise is linear in what it has seen:

    d yhat_{t+1} / d y_s = K_s prod_{j=s+1..t} (a - K_j),   K_t = a P_t / (P_t + r)

(K_t, the influence of the newest observation, is the gain). A trained network and the mixture of
filters that does not know a and r are not linear: their Jacobians are those at sequences of one
system, and their means over sequences.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from feedrun.experiment import Config, Count
from feedrun.maths import kalman, riccati
from feedrun.models.arms import Arm
from feedrun.papers.ssm_icl.families import first_flag, linear_gaussian, shifted
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families.linear_gaussian import Tasks

Predict = Callable[[Float[Array, "T"]], Float[Array, "T"]]
Influence = Float[np.ndarray, "B T T"]
"""[b, t, s]: d prediction_t / d y_s of a sequence, 0 for s >= t."""


class Gain(Config):
    """The system z' = a z + N(0, 1 - a^2), y = z + N(0, r), and how many sequences of it."""

    a: Annotated[float, Field(gt=0, lt=1)]
    r: Annotated[float, Field(gt=0)]
    sequences: Count


def system(cfg: Gain) -> Tasks:
    """The system, once."""
    a = jnp.full((1,), cfg.a)
    return Tasks(a[:, None, None], jnp.ones((1, 1, 1)), 1 - a**2, jnp.full((1,), cfg.r))


def observations(cfg: Gain, key: Any, length: int) -> Float[Array, "B T"]:
    """Sequences of that one system."""
    tasks = jax.tree.map(lambda leaf: jnp.repeat(leaf, cfg.sequences, axis=0), system(cfg))
    return linear_gaussian.trajectories(key, tasks, length=length)[1][..., 0]


def influence(
    predict: Predict, y: Float[Array, "B T"], *, together: int = 16
) -> Float[Array, "B T T"]:
    """Jacobians of a predictor at each sequence, `together` sequences at a time."""
    return jax.lax.map(jax.jacfwd(predict), y, batch_size=min(together, len(y)))


def genie(cfg: Gain) -> Predict:
    """The filter that knows the system."""
    own = jax.tree.map(lambda leaf: leaf[0], oracles.system(system(cfg)))
    return lambda y: kalman.predict(own, y[:, None]).mean[:, 0]


def bayes(y: Float[Array, "T"]) -> Float[Array, "T"]:
    """The mixture over all tasks of LG1."""
    return oracles.bank(linear_gaussian.lg1_grid(), y[None]).mean[0]


def network(arm: Arm, params: Any, y: Float[Array, "T"]) -> Float[Array, "T"]:
    """A network for LG1."""
    seen = y[None, :, None]
    tokens = jnp.concatenate([shifted(seen), first_flag(seen)], axis=-1)
    return arm.apply(params, tokens[0])[:, 0]


def of_networks(arm: Arm, params: Any, y: Float[Array, "B T"]) -> Float[np.ndarray, "R B T T"]:
    """Influences of R networks."""
    each = partial(jax.lax.map, lambda own: influence(partial(network, arm, own), y))
    return np.asarray(jax.jit(each)(params))


def gains(influence: Float[np.ndarray, "*R T T"]) -> Float[np.ndarray, "*R N"]:
    """Of the newest observation, after n = 1 .. T - 1 of them."""
    return np.diagonal(influence, offset=-1, axis1=-2, axis2=-1)


def cosine(
    one: Float[np.ndarray, "*A T S"], two: Float[np.ndarray, "*B T S"]
) -> Float[np.ndarray, "*C T"]:
    """Between the influences of all observations on each prediction; the first has none: 0."""
    product = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
    return (one * two).sum(axis=-1) / np.maximum(product, 1e-12)


def distance(
    one: Float[np.ndarray, "*A T S"], two: Float[np.ndarray, "*B T S"]
) -> Float[np.ndarray, "*C T"]:
    """|one - two| / |two|, likewise."""
    norm = np.maximum(np.linalg.norm(two, axis=-1), 1e-12)
    return np.linalg.norm(one - two, axis=-1) / norm


def window_cosine(cfg: Gain, window: int) -> float:
    """The most that the last `window` observations alone can have with the steady filter.

    Influences of the steady filter fall as p^k, p = a - K. Cutting them off after `window` leaves
    sqrt(1 - p^(2 window)) of their norm, and no vector with that support is nearer in angle.
    """
    P = float(
        riccati.steady_number(jnp.float32(cfg.a), jnp.float32(1 - cfg.a**2), jnp.float32(cfg.r))
    )
    pole = cfg.a - cfg.a * P / (P + cfg.r)
    return float(np.sqrt(1 - pole ** (2 * window)))


def compare(
    found: Float[np.ndarray, "R B T T"], references: Mapping[str, Influence], after: int
) -> dict[str, np.ndarray]:
    """Metrics (R,): cosine and relative distance of mean influences, from `after` on.

    bayes: also sequence by sequence, where its own dependence on the sequence counts.
    """
    mean, metrics = found.mean(axis=1), {}
    for name, reference in references.items():
        own = reference.mean(axis=0)[None]
        metrics[f"cosine_{name}"] = cosine(mean, own)[:, after:].mean(axis=1)
        metrics[f"distance_{name}"] = distance(mean, own)[:, after:].mean(axis=1)
        error = np.abs(gains(mean) - gains(own)) / np.abs(gains(own))
        metrics[f"gain_error_{name}"] = error.mean(axis=1)
    each = cosine(found, references["bayes"][None])[..., after:]
    return metrics | {"cosine_each": each.mean(axis=(1, 2))}
