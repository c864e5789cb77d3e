"""Bare linear recurrences as arms: no gates, norms or skips, so that only the poles differ."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from feedrun.maths.recurrences import (
    linear_recurrence,
    short_convolution,
    short_convolution_step,
)
from feedrun.models.arms import Arm
from feedrun.models.streaming import CONVOLUTION

MODULI = (0.4, 0.95)
"""Range of the poles' moduli at the start."""

Poles = Literal["real", "complex"]


def bare(poles: Poles, states: int, *, features: int, layers: int = 1, conv: bool = False) -> Arm:
    """h_t = a h_{t-1} + B x_t in `layers`, each fed the one before; y_t = c . h_t, one number.

    A layer remembers `states` real numbers: so many real poles in (0, 1), as in Mamba, or half as
    many complex ones inside the unit circle. `conv`: a short convolution of x goes before. Raises
    ValueError for an odd number of states with complex poles.
    """
    if poles == "complex" and states % 2:
        raise ValueError(f"complex poles come in pairs, {states} states do not")
    count = states // 2 if poles == "complex" else states

    def init(key: Any) -> Any:
        *layer_keys, read_key, conv_key = jax.random.split(key, layers + 2)
        sizes = [features] + [states] * (layers - 1)
        params = {
            "layers": [
                _layer(k, size, states, count) for k, size in zip(layer_keys, sizes, strict=True)
            ],
            "C": jax.random.normal(read_key, (states, 1)) / states**0.5,
        }
        if conv:
            fresh = jax.random.normal(conv_key, (CONVOLUTION, features)) / CONVOLUTION**0.5
            params["conv"] = fresh.at[0].add(1.0)
        return params

    def hidden(params: Any, x: Float[Array, "T F"]) -> Float[Array, "T E"]:
        h, streams = short_convolution(x, params["conv"]) if conv else x, []
        for layer in params["layers"]:
            drive = _lanes(h @ layer["B"], poles)
            a = jnp.broadcast_to(_poles(layer, poles)[None], drive.shape)
            h = _numbers(linear_recurrence(a, drive, parallel=False))
            streams.append(h)
        return jnp.concatenate(streams, axis=1)

    def step(params: Any, state: Any, x: Float[Array, "F"]) -> tuple[Any, Float[Array, "1"]]:
        lags, kept, new = state["lags"], state["layers"], []
        lags, h = short_convolution_step(lags, x, params["conv"]) if conv else (lags, x)
        for layer, old in zip(params["layers"], kept, strict=True):
            new.append(_poles(layer, poles) * old + _lanes(h @ layer["B"], poles))
            h = _numbers(new[-1])
        return {"lags": lags, "layers": new}, h @ params["C"]

    def start() -> Any:
        dtype = jnp.complex64 if poles == "complex" else jnp.float32
        lags = jnp.zeros((CONVOLUTION - 1 if conv else 0, features), jnp.float32)
        return {"lags": lags, "layers": [jnp.zeros(count, dtype)] * layers}

    return Arm(
        init=init,
        apply=lambda params, x: hidden(params, x)[:, -states:] @ params["C"],
        hidden=hidden,
        start=start,
        step=step,
    )


def _layer(key: Any, features: int, states: int, count: int) -> dict[str, Array]:
    """Poles of random modulus and angle (only complex ones turn), and the drive B."""
    size_key, turn_key, drive_key = jax.random.split(key, 3)
    low, high = MODULI
    size = jax.random.uniform(size_key, (count,), minval=low, maxval=high)
    turning = {"A_imag": jax.random.uniform(turn_key, (count,), maxval=jnp.pi)}
    return (turning if count < states else {}) | {
        "A_log": jnp.log(-jnp.log(size)),
        "B": jax.random.normal(drive_key, (features, states)) / features**0.5,
    }


def _poles(layer: dict[str, Array], poles: Poles) -> Inexact[Array, "N"]:
    """exp(-exp(A_log)), turned by exp(i A_imag) where complex."""
    decay = -jnp.exp(layer["A_log"])
    return jnp.exp(jax.lax.complex(decay, layer["A_imag"]) if poles == "complex" else decay)


def _lanes(x: Float[Array, "*T E"], poles: Poles) -> Inexact[Array, "*T N"]:
    """Real numbers as they are, or the halves as real and imaginary parts."""
    return jax.lax.complex(*jnp.split(x, 2, axis=-1)) if poles == "complex" else x


def _numbers(h: Inexact[Array, "*T N"]) -> Float[Array, "*T E"]:
    """Back to real numbers."""
    return jnp.concatenate([h.real, h.imag], axis=-1) if jnp.iscomplexobj(h) else h
