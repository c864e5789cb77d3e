"""The selective scan of Mamba: a diagonal linear recurrence whose decay follows the input.

    h_t = exp(delta_t A) h_{t-1} + (delta_t x_t) B_t,    y_t = <C_t, h_t>,    h_0 = 0

for each of D channels with N states of its own; B and C are shared by the channels (Gu and Dao,
arXiv 2312.00752, sections 3.2 and 3.3, with their Euler rule delta B for the input). Four forms
that agree: by single steps, sequential, associative, and `selective_scan`, the one to train with.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

from feedrun.maths.recurrences import linear_recurrence, split_time

PAIR = 2
"""Sequences that a processor core takes side by side: wide enough for its lanes, small enough for
the states of one chunk to stay in its cache (4 are slower by half, 1 by a fifth)."""


def selective_step(
    h: Float[Array, "N D"],
    x: Float[Array, "D"],
    delta: Float[Array, "D"],
    A: Float[Array, "N D"],
    B: Float[Array, "N"],
    C: Float[Array, "N"],
) -> tuple[Float[Array, "N D"], Float[Array, "D"]]:
    """(h_t, y_t) from h_{t-1} and the inputs of time t; delta is positive, A negative."""
    h = _next(h, x, delta, A, B)
    return h, (h * C[:, None]).sum(axis=0)


def selective_scan_sequential(
    x: Float[Array, "T D"],
    delta: Float[Array, "T D"],
    A: Float[Array, "N D"],
    B: Float[Array, "T N"],
    C: Float[Array, "T N"],
) -> Float[Array, "T D"]:
    """y step by step; its gradient keeps all T states."""
    h = jnp.zeros(A.shape, x.dtype)
    return jax.lax.scan(lambda h, now: _apply(h, A, *now), h, (x, delta, B, C))[1]


def selective_scan_associative(
    x: Float[Array, "T D"],
    delta: Float[Array, "T D"],
    A: Float[Array, "N D"],
    B: Float[Array, "T N"],
    C: Float[Array, "T N"],
) -> Float[Array, "T D"]:
    """y in O(log T) depth and several times T N D numbers of memory."""
    a = jnp.exp(delta[:, None] * A[None])
    h = linear_recurrence(a, (delta * x)[:, None] * B[:, :, None], parallel=True)
    return jnp.einsum("tnd,tn->td", h, C)


def selective_scan(
    x: Float[Array, "T D"],
    delta: Float[Array, "T D"],
    A: Float[Array, "N D"],
    B: Float[Array, "T N"],
    C: Float[Array, "T N"],
    *,
    chunk: int,
) -> Float[Array, "T D"]:
    """y with a gradient that keeps one state a `chunk` and computes the others again.

    First derivatives in reverse mode only. Mapped over a batch (`vmap`) on CPUs it runs over it a
    `PAIR` at a time; on accelerators all at once.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be 1 or more, got {chunk}")
    return _scan(chunk, x, delta, A, B, C)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(chunk, x, delta, A, B, C):
    return _batched(partial(_forward, chunk))(x, delta, A, B, C)[0]


def _scan_forward(chunk, x, delta, A, B, C):
    y, starts = _batched(partial(_forward, chunk))(x, delta, A, B, C)
    return y, (x, delta, A, B, C, starts)


def _scan_backward(chunk, kept, dy):
    return _batched(partial(_backward, chunk))(*kept, dy)


_scan.defvjp(_scan_forward, _scan_backward)


def _batched(one: Callable[..., Any]) -> Callable[..., Any]:
    """`one` with its own rule of batching: in pairs where a cache is what limits."""
    # A plain vmap carries the states of all sequences through every step, which on a CPU fall out
    # of the cache. Only the caller's vmap knows that there is a batch: hence a rule for it here.
    mapped = custom_vmap(one)

    @mapped.def_vmap
    def _(size: int, batched: Sequence[bool], *args: Any):
        own = [a for a, is_own in zip(args, batched, strict=True) if is_own]

        def each(own):
            rest = iter(own)
            return one(*(next(rest) if b else a for a, b in zip(args, batched, strict=True)))

        out = jax.lax.platform_dependent(
            own,
            cpu=lambda own: jax.lax.map(each, own, batch_size=min(PAIR, size)),
            default=jax.vmap(each),
        )
        return out, jax.tree.map(lambda _: True, out)

    return mapped


def _forward(chunk, x, delta, A, B, C):
    """y (T, D), and the state in which each chunk starts (T / chunk, N, D)."""

    def over(h, inputs):
        end, y = jax.lax.scan(lambda h, now: _apply(h, A, *now), h, inputs)
        return end, (h, y)

    start = jnp.zeros(A.shape, x.dtype)
    _, (starts, y) = jax.lax.scan(over, start, split_time(chunk, x, delta, B, C))
    return y.reshape(-1, x.shape[1])[: len(x)], starts


def _backward(chunk, x, delta, A, B, C, starts, dy):
    """Gradients by x, delta, A, B, C: the chunks from the last, each with its states anew."""

    def over(carry, inputs):
        start, x, delta, B, C, dy = inputs

        def again(h, now):
            return (_next(h, now[0], now[1], A, now[2]),) * 2

        _, states = jax.lax.scan(again, start, (x, delta, B))
        now = (states, x, delta, B, C, dy)
        return jax.lax.scan(partial(_back, A), carry, now, reverse=True)

    zero = jnp.zeros(A.shape, x.dtype)
    inputs = (starts, *split_time(chunk, x, delta, B, C, dy))
    (_, dA), grads = jax.lax.scan(over, (zero, zero), inputs, reverse=True)
    dx, ddelta, dB, dC = (g.reshape(-1, g.shape[-1])[: len(x)] for g in grads)
    return dx, ddelta, dA, dB, dC


def _back(A, carry, now):
    """One step back: carry is what later times ask of h_t, and the gradient by A so far.

    Of exp(delta A) h_{t-1} = h_t - delta x B no exponential is needed.
    """
    (g, dA), (h, x, delta, B, C, dy) = carry, now
    drive = delta * x
    g = g + C[:, None] * dy[None]
    by_exponent = g * (h - B[:, None] * drive[None])
    by_drive = (g * B[:, None]).sum(axis=0)
    ddelta = by_drive * x + (A * by_exponent).sum(axis=0)
    carry = jnp.exp(delta[None] * A) * g, dA + delta[None] * by_exponent
    return carry, (by_drive * delta, ddelta, g @ drive, h @ dy)


def _apply(h, A, x, delta, B, C):
    return selective_step(h, x, delta, A, B, C)


def _next(h, x, delta, A, B):
    return jnp.exp(delta[None] * A) * h + (delta * x)[None] * B[:, None]
