"""Clipped AdamW whose rate warms up and falls; rate and horizon are numbers of its state."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import optax

Shape = Callable[[Any, Any], Any]
"""shape(count, horizon) -> factor of the rate; count: 0 at the first step, traced."""


def warm_cosine(count: Any, horizon: Any, *, warmup: float, last: float) -> Any:
    """From 0 to 1 in the share `warmup` of the horizon, then to `last` as a cosine.

    The first step is already taken at a rate above 0.
    """
    part = (count + 1) / horizon
    after = jnp.clip((part - warmup) / (1 - warmup), 0, 1)
    return jnp.minimum(part / warmup, last + (1 - last) * (1 + jnp.cos(jnp.pi * after)) / 2)


def optax_cosine(steps: int, *, warmup: int, last: float) -> Shape:
    """Optax's own shape of a fixed number of steps, which is 0 at the first."""
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup, steps, last)
    return lambda count, horizon: schedule(count)


def adamw_cosine(
    shape: Shape | None = None,
    *,
    horizon: float | int = 1.0,
    learning_rate: float = 1e-3,
    b2: float = 0.999,
    decay: float,
    decayed: Any = None,
    trained: Any = None,
    clip: float | None = None,
    rate: Literal["with shape", "before shape", "after shape"] = "with shape",
) -> optax.GradientTransformation:
    """AdamW at learning_rate * shape; `train.tuned` changes the learning rate and the horizon.

    decayed: optax's mask of the weights that decay (all where None); trained: that of those that
    are trained at all; clip: largest norm of their gradient. rate: in which order an update is
    multiplied, which decides its last bit and so keeps old records reproducible.
    """

    def make(learning_rate, horizon):
        def factor(count):
            return shape(count, horizon) if shape else 1.0

        steps = {
            "with shape": [
                optax.scale_by_learning_rate(lambda count: learning_rate * factor(count))
            ],
            "before shape": [
                optax.scale_by_learning_rate(learning_rate),
                optax.scale_by_schedule(factor),
            ],
            "after shape": [
                optax.scale_by_schedule(factor),
                optax.scale_by_learning_rate(learning_rate),
            ],
        }
        one = optax.chain(
            *([optax.clip_by_global_norm(clip)] if clip else []),
            optax.scale_by_adam(b2=b2),
            optax.add_decayed_weights(decay, decayed),
            *(steps[rate] if shape else [optax.scale_by_learning_rate(learning_rate)]),
        )
        return one if trained is None else optax.masked(one, trained)

    return optax.inject_hyperparams(make)(learning_rate=learning_rate, horizon=float(horizon))
