"""Mixing over time that a network can do for a whole sequence or one step at a time.

A module with `streaming` set sees sequences of one element and keeps what it must remember in the
flax collection "stream"; all else is written once. Every state starts at zero.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from feedrun.maths.recurrences import short_convolution, short_convolution_step

CONVOLUTION = 4
"""Inputs that the short convolution sees."""


def over_time(
    module: Any,
    name: str,
    whole: Callable[..., Array],
    step: Callable[..., tuple[Any, Array]],
    start: Any,
    *series: Array,
) -> Array:
    """whole(*series); or step(state, *elements) from the state that `module` keeps as `name`.

    `start` gives the state's shapes and dtypes.
    """
    if not module.streaming:
        return whole(*series)
    state = module.variable("stream", name, lambda: jax.tree.map(jnp.zeros_like, start))
    state.value, y = step(state.value, *(x[0] for x in series))
    return y[None]


def scan_over_time(
    module: Any, name: str, step: Callable[..., tuple[Any, Array]], start: Any, *series: Array
) -> Array:
    """`over_time` of a recurrence that has no faster form than its steps."""

    def whole(*series):
        return jax.lax.scan(lambda state, now: step(state, *now), start, series)[1]

    return over_time(module, name, whole, step, start, *series)


def positions(module: Any, T: int) -> Int[Array, "T"]:
    """0..T-1, or how many elements came before."""

    def step(count, _):
        return count + 1, count

    zero = jnp.zeros((), jnp.int32)
    return over_time(module, "count", lambda x: x, step, zero, jnp.arange(T, dtype=jnp.int32))


class ShortConvolution(nn.Module):
    """A causal convolution of each channel with its last inputs, and a bias."""

    streaming: bool

    @nn.compact
    def __call__(self, x: Float[Array, "T D"]) -> Float[Array, "T D"]:
        shape = CONVOLUTION, x.shape[1]
        w = self.param("kernel", uniform(CONVOLUTION**-0.5), shape, jnp.float32).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, shape[1:], jnp.float32).astype(x.dtype)
        y = over_time(
            self,
            "last",
            lambda x: short_convolution(x, w),
            lambda last, x: short_convolution_step(last, x, w),
            jnp.zeros((CONVOLUTION - 1, shape[1]), x.dtype),
            x,
        )
        return y + bias[None]


def uniform(bound: float) -> Callable[..., Array]:
    """An initializer: U(-bound, bound)."""

    def init(key, shape, dtype):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init
