"""Linear recurrences over time, for one sequence: batch, heads and channels are the caller's vmap.

Diagonal ones, sequential and associative; matrix-valued states with one decay a step (SSD: Dao and
Gu, arXiv 2405.21060; without decay it is linear attention); time-invariant ones with complex poles
(S4D: Gu et al., arXiv 2206.11893); and the short causal convolution that goes before them.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact


def linear_recurrence(
    a: Inexact[Array, "T *state"], b: Inexact[Array, "T *state"], *, parallel: bool
) -> Inexact[Array, "T *state"]:
    """States h_t = a_t h_{t-1} + b_t from h_0 = 0; `parallel` trades depth O(T) for O(log T)."""
    if parallel:
        return jax.lax.associative_scan(_compose, (a, b))[1]

    def step(h, now):
        h = now[0] * h + now[1]
        return h, h

    return jax.lax.scan(step, jnp.zeros(a.shape[1:], a.dtype), (a, b))[1]


def _compose(first, second):
    """The affine map that applies `first`, then `second`."""
    (a1, b1), (a2, b2) = first, second
    return a2 * a1, a2 * b1 + b2


def ssd_step(
    state: Float[Array, "N P"],
    v: Float[Array, "P"],
    log_a: Float[Array, ""],
    k: Float[Array, "N"],
    q: Float[Array, "N"],
) -> tuple[Float[Array, "N P"], Float[Array, "P"]]:
    """S_t = exp(log_a) S_{t-1} + k v^T and y_t = S_t^T q: SSD, one step."""
    state = jnp.exp(log_a) * state + k[:, None] * v[None]
    return state, q @ state


def ssd_sequential(
    v: Float[Array, "T P"],
    log_a: Float[Array, "T"],
    k: Float[Array, "T N"],
    q: Float[Array, "T N"],
) -> Float[Array, "T P"]:
    """All y_t of `ssd_step` from S_0 = 0, step by step."""
    start = jnp.zeros((k.shape[1], v.shape[1]), v.dtype)
    return jax.lax.scan(lambda s, now: ssd_step(s, *now), start, (v, log_a, k, q))[1]


def ssd(
    v: Float[Array, "T P"],
    log_a: Float[Array, "T"],
    k: Float[Array, "T N"],
    q: Float[Array, "T N"],
    *,
    chunk: int,
) -> Float[Array, "T P"]:
    """All y_t of `ssd_step` as matrix products inside chunks and a short scan across them.

    log_a <= 0, so that no exponent is positive. O(T chunk (N + P) + T N P).
    """
    v_c, log_a, k, q = split_time(chunk, v, log_a, k, q)
    decay = jnp.cumsum(log_a, axis=1)
    near = jnp.einsum("cij,cjp->cip", jnp.einsum("cin,cjn->cij", q, k) * _gaps(decay), v_c)
    left = jnp.exp(decay[:, -1:] - decay)[..., None] * v_c
    written = jnp.einsum("cjn,cjp->cnp", k, left)
    far = jnp.einsum("cin,cnp->cip", q, _entering(jnp.exp(decay[:, -1]), written))
    y = near + jnp.exp(decay)[..., None] * far
    return y.reshape(-1, v.shape[1])[: len(v)]


def _gaps(decay: Float[Array, "C L"]) -> Float[Array, "C L L"]:
    """exp(decay_i - decay_j) for j <= i, else 0; masked before the exponential, whose gradient
    would be infinite above the diagonal."""
    past = jnp.tri(decay.shape[1], dtype=bool)[None]
    gaps = decay[:, :, None] - decay[:, None, :]
    return jnp.where(past, jnp.exp(jnp.where(past, gaps, 0)), 0)


def _entering(a, written):
    """The state with which each chunk starts: S_{c+1} = a_c S_c + written_c."""

    def step(state, now):
        a, written = now
        return a * state + written, state

    return jax.lax.scan(step, jnp.zeros(written.shape[1:], written.dtype), (a, written))[1]


def time_invariant_step(
    state: Complex[Array, "N"],
    u: Float[Array, ""],
    log_a: Complex[Array, "N"],
    b: Complex[Array, "N"],
    c: Complex[Array, "N"],
) -> tuple[Complex[Array, "N"], Float[Array, ""]]:
    """h_t = exp(log_a) h_{t-1} + b u_t and y_t = Re <c, h_t> (no conjugate): S4D, one step."""
    state = jnp.exp(log_a) * state + b * u.astype(b.dtype)
    return state, (c * state).sum().real


def time_invariant(
    u: Float[Array, "T"],
    log_a: Complex[Array, "N"],
    b: Complex[Array, "N"],
    c: Complex[Array, "N"],
    *,
    chunk: int,
) -> Float[Array, "T"]:
    """All y_t of `time_invariant_step` from h_0 = 0: a Toeplitz product inside each chunk.

    The real part of log_a is not positive. O(T (chunk + N)), and no transform, in whose rounding
    the past would see the future.
    """
    (inputs,) = split_time(chunk, u)
    L = inputs.shape[1]
    powers = jnp.exp(jnp.arange(L + 1, dtype=u.dtype).astype(log_a.dtype)[:, None] * log_a[None])
    kernel = (powers[:L] @ (b * c)).real
    lag = jnp.arange(L)[:, None] - jnp.arange(L)[None]
    near = inputs @ jnp.where(lag >= 0, kernel[lag], 0).T
    written = inputs @ _parts(powers[:L][::-1] * b[None])
    written = jax.lax.complex(*jnp.split(written, 2, axis=1))
    states = _entering(jnp.broadcast_to(powers[L], written.shape), written)
    far = _parts(states) @ _parts(jnp.conj(powers[1:] * c[None])).T
    return (near + far).reshape(-1)[: len(u)]


def _parts(z: Complex[Array, "L N"]) -> Float[Array, "L M"]:
    """Real parts, then imaginary ones: <_parts(x), _parts(conj y)> = Re <x, y>."""
    return jnp.concatenate([z.real, z.imag], axis=1)


def short_convolution(x: Float[Array, "T D"], w: Float[Array, "W D"]) -> Float[Array, "T D"]:
    """y_t = sum_i w_i x_{t-i}, each channel by itself, with x = 0 before the first time."""
    padded = jnp.pad(x, ((len(w) - 1, 0), (0, 0)))
    lags = [padded[len(w) - 1 - i : len(padded) - i] * w[i][None] for i in range(len(w))]
    return sum(lags[1:], start=lags[0])


def short_convolution_step(
    state: Float[Array, "W1 D"], x: Float[Array, "D"], w: Float[Array, "W D"]
) -> tuple[Float[Array, "W1 D"], Float[Array, "D"]]:
    """One step of it; the state holds the last W - 1 inputs, newest first."""
    seen = jnp.concatenate([x[None], state])
    return seen[:-1], (seen * w).sum(axis=0)


def split_time(
    chunk: int, *series: Inexact[Array, "T ..."]
) -> tuple[Inexact[Array, "C L ..."], ...]:
    """Each series in chunks of equal length, filled up with zeros, after which no time is left."""
    L = min(chunk, len(series[0]))

    def split(x):
        filled = jnp.pad(x, ((0, -len(x) % L), *[(0, 0)] * (x.ndim - 1)))
        return filled.reshape(-1, L, *x.shape[1:])

    return tuple(split(x) for x in series)
