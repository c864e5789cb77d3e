"""Recurrent mixers (T, D) -> (T, D): Mamba's block, the ladder of SSD with its decay taken away
step by step, S4D with complex poles, GRU and LSTM.

Mamba-1: arXiv 2312.00752; SSD (Mamba-2): 2405.21060; S4D: 2206.11893; a fixed decay a head is
retention (2307.08621), none is linear attention. All widen D to `inner` and come back.
"""

from functools import partial
from math import ceil

import jax
import jax.numpy as jnp
from flax import linen as nn

from feedrun.maths import recurrences
from feedrun.maths.selective_scan import selective_scan, selective_step
from feedrun.models.streaming import ShortConvolution, over_time, scan_over_time, uniform

DT = (1e-3, 1e-1)
"""Range in which step sizes start, uniform in their logarithm; never below 1e-4."""


class Mamba(nn.Module):
    """Mamba-1: decay, input and output maps of each channel follow the input."""

    inner: int
    states: int
    conv: bool
    chunk: int
    streaming: bool

    @nn.compact
    def __call__(self, x):
        E, N, rank = self.inner, self.states, ceil(x.shape[1] / 16)
        u, gate = jnp.split(_dense(2 * E, "in")(x), 2, axis=1)
        u = _convolved(self, u)
        low, B, C = jnp.split(_dense(rank + 2 * N, "x")(u), [rank, rank + N], axis=1)
        dt = nn.Dense(E, kernel_init=uniform(rank**-0.5), bias_init=_dt_bias, name="dt")
        A = -jnp.exp(_like(x, self.param("A_log", _log_counts, (N, E), jnp.float32)))
        y = over_time(
            self,
            "state",
            lambda u, delta, B, C: selective_scan(u, delta, A, B, C, chunk=self.chunk),
            lambda h, u, delta, B, C: selective_step(h, u, delta, A, B, C),
            jnp.zeros((N, E), x.dtype),
            *(u, nn.softplus(dt(low)), B, C),
        )
        y = y + _skip(self, x, E)[None] * u
        return _dense(x.shape[1], "out")(y * nn.silu(gate))


class SSD(nn.Module):
    """Mamba-2, and with another `decay` the rungs below it.

    "selective": the decay of a head follows the input; "fixed": each head has its own; "none".
    """

    inner: int
    heads: int
    states: int
    decay: str
    conv: bool
    chunk: int
    streaming: bool

    @nn.compact
    def __call__(self, x):
        (T, D), E, H, N = x.shape, self.inner, self.heads, self.states
        own = H if self.decay == "selective" else 0
        z = _dense(2 * E + 2 * N + own, "in")(x)
        gate, mixed, step = jnp.split(z, [E, 2 * E + 2 * N], axis=1)
        u, k, q = jnp.split(_convolved(self, mixed), [E, E + N], axis=1)
        bias = _like(x, self.param("dt_bias", _dt_bias, (H,), jnp.float32))
        dt = nn.softplus(jnp.broadcast_to(bias, (T, H)) + (step if own else 0))
        log_a = jnp.zeros_like(dt)
        if self.decay != "none":
            A_log = _like(x, self.param("A_log", _log_uniform(1, 16), (H,), jnp.float32))
            log_a = -dt * jnp.exp(A_log)[None]
        v = u.reshape(T, H, E // H)
        y = over_time(
            self,
            "state",
            _by_head(partial(recurrences.ssd, chunk=self.chunk), time=1),
            _ssd_step,
            jnp.zeros((H, N, E // H), x.dtype),
            *(dt[:, :, None] * v, log_a, k, q),
        )
        y = (y + _skip(self, x, H)[None, :, None] * v).reshape(T, E)
        return _dense(D, "out")(nn.RMSNorm(name="norm")(y * nn.silu(gate)))


class S4D(nn.Module):
    """Each channel an own time-invariant filter with `states` / 2 pairs of complex poles."""

    inner: int
    states: int
    conv: bool
    chunk: int
    streaming: bool

    @nn.compact
    def __call__(self, x):
        E, shape = self.inner, (self.inner, self.states // 2)
        gate, u = jnp.split(_dense(2 * E, "in")(x), 2, axis=1)
        u = _convolved(self, u)
        log_a, b, c = self._poles(x, shape)
        y = over_time(
            self,
            "state",
            lambda u: jax.vmap(
                partial(recurrences.time_invariant, chunk=self.chunk), (1, 0, 0, 0), 1
            )(u, log_a, b, c),
            lambda h, u: jax.vmap(recurrences.time_invariant_step)(h, u, log_a, b, c),
            jnp.zeros(shape, log_a.dtype),
            u,
        )
        y = y + _skip(self, x, E)[None] * u
        return _dense(x.shape[1], "out")(nn.RMSNorm(name="norm")(y * nn.silu(gate)))

    def _poles(self, x, shape):
        """(dt A, (exp(dt A) - 1) / A, 2 C): S4D-Lin, A = -1/2 + i pi n, by zero-order hold."""
        real = self.param("A_log", nn.initializers.constant(jnp.log(0.5)), shape, jnp.float32)
        imag = self.param("A_imag", _frequencies, shape, jnp.float32)
        dt = self.param("log_dt", _log_uniform_of(*DT), shape[:1], jnp.float32)
        C = self.param("C", nn.initializers.normal(0.5**0.5), (*shape, 2), jnp.float32)
        real, imag, dt, C = (_like(x, z) for z in (real, imag, dt, C))
        A = jax.lax.complex(-jnp.exp(real), imag)
        log_a = A * jnp.exp(dt)[:, None]
        return log_a, (jnp.exp(log_a) - 1) / A, 2 * jax.lax.complex(C[..., 0], C[..., 1])


class GRU(nn.Module):
    """Gated recurrent unit (arXiv 1406.1078) with `inner` hidden units, mapped back to D."""

    inner: int
    conv: bool
    streaming: bool

    @nn.compact
    def __call__(self, x):
        E = self.inner
        x_in = ShortConvolution(self.streaming, name="conv")(x) if self.conv else x
        drive = nn.Dense(3 * E, name="in")(x_in)
        W, b = _recurrent(self, x, gates=3)

        def step(h, drive):
            again = h @ W + b
            reset, update = nn.sigmoid(drive[: 2 * E] + again[: 2 * E]).reshape(2, E)
            new = jnp.tanh(drive[2 * E :] + reset * again[2 * E :])
            h = (1 - update) * new + update * h
            return h, h

        y = scan_over_time(self, "state", step, jnp.zeros(E, x.dtype), drive)
        return _dense(x.shape[1], "out")(y)


class LSTM(nn.Module):
    """Long short-term memory with `inner` cells and forget gates that start open."""

    inner: int
    conv: bool
    streaming: bool

    @nn.compact
    def __call__(self, x):
        E = self.inner
        x_in = ShortConvolution(self.streaming, name="conv")(x) if self.conv else x
        drive = nn.Dense(4 * E, name="in")(x_in)
        W, b = _recurrent(self, x, gates=4)

        def step(state, drive):
            h, cell = state
            enter, forget, leave, new = (drive + h @ W + b).reshape(4, E)
            cell = nn.sigmoid(forget + 1) * cell + nn.sigmoid(enter) * jnp.tanh(new)
            h = nn.sigmoid(leave) * jnp.tanh(cell)
            return (h, cell), h

        zero = jnp.zeros(E, x.dtype)
        y = scan_over_time(self, "state", step, (zero, zero), drive)
        return _dense(x.shape[1], "out")(y)


def _recurrent(module, x, *, gates):
    """Weights and bias from the hidden units to `gates` of each, an orthogonal matrix a gate."""
    E = module.inner

    def init(key, shape, dtype):
        keys = jax.random.split(key, gates)
        return jnp.concatenate([nn.initializers.orthogonal()(k, (E, E), dtype) for k in keys], 1)

    W = module.param("kernel", init, (E, gates * E), jnp.float32)
    bias = module.param("bias", nn.initializers.zeros, (gates * E,), jnp.float32)
    return _like(x, W), _like(x, bias)


def _by_head(mix, *, time):
    """`mix(v, log_a, k, q)` of each head: v and log_a have an axis of heads behind `time` axes."""
    return jax.vmap(mix, (time, time, None, None), time)


def _ssd_step(state, v, log_a, k, q):
    return jax.vmap(recurrences.ssd_step, (0, 0, 0, None, None))(state, v, log_a, k, q)


def _convolved(module, u):
    """silu of u, or of its short convolution."""
    return nn.silu(ShortConvolution(module.streaming, name="conv")(u) if module.conv else u)


def _skip(module, x, size):
    return _like(x, module.param("D_skip", nn.initializers.ones, (size,), jnp.float32))


def _dense(size, name):
    return nn.Dense(size, use_bias=False, name=name)


def _like(x, weights):
    """Weights in the dtype of the computation."""
    return weights.astype(x.dtype)


def _dt_bias(key, shape, dtype):
    """b with softplus(b) log-uniform in DT, at least 1e-4."""
    dt = jnp.maximum(jnp.exp(_log_uniform_of(*DT)(key, shape, dtype)), 1e-4)
    return dt + jnp.log(-jnp.expm1(-dt))


def _log_uniform_of(low, high):
    """An initializer: the logarithm of numbers uniform in their logarithm."""

    def init(key, shape, dtype):
        return jax.random.uniform(key, shape, dtype, jnp.log(low), jnp.log(high))

    return init


def _log_uniform(low, high):
    """An initializer: the logarithm of numbers uniform in [low, high]."""

    def init(key, shape, dtype):
        return jnp.log(jax.random.uniform(key, shape, dtype, low, high))

    return init


def _log_counts(key, shape, dtype):
    """log 1, log 2, ... log N, for every channel the same."""
    return jnp.broadcast_to(jnp.log(jnp.arange(1, shape[0] + 1, dtype=dtype))[:, None], shape)


def _frequencies(key, shape, dtype):
    """pi n for n = 0, 1, ..., for every channel the same."""
    return jnp.broadcast_to(jnp.pi * jnp.arange(shape[1], dtype=dtype)[None], shape)
