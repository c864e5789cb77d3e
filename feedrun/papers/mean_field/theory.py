"""Tokens as weighted particles on the sphere: velocity fields, energy, order parameter.

A measure mu = sum_k alpha_k delta_{x_k} is the pair (x, alpha), alpha >= 0 with sum 1; plain
tokens have alpha = 1/T. `norm` names the flow, always explicitly, since time scales hang on it:
"sa" divides by the softmax denominator, "usa" does not, "usa_shifted" is "usa" with time slowed
by e^beta, x_shifted(t) = x_usa(e^{-beta} t).

Source: Rigollet, "The Mean-Field Dynamics of Transformers" (2512.01868), section 2.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from feedrun.maths import sphere

Norm = Literal["sa", "usa", "usa_shifted"]
Scalar = float | Float[Array, ""]


def velocity(
    x: Float[Array, "T D"],
    alpha: Float[Array, "T"],
    beta: Scalar,
    *,
    norm: Norm,
    B: Float[Array, "D D"] | None = None,
    V: Float[Array, "D D"] | None = None,
    mask: Bool[Array, "T T"] | None = None,
) -> Float[Array, "T D"]:
    """dx_i/dt = P_{x_i} sum_j alpha_j e^{beta <x_i, B x_j>} V x_j [/ sum_j alpha_j e^{...}].

    B = Q^T K and V are the identity where None; mask[i, j] says that i sees j. O(T^2 (D + exp)).
    """
    logits = beta * ((x if B is None else x @ B) @ x.T)
    # On the sphere <x, y> <= 1: with B = I the largest logit is beta, no row maximum is needed.
    shift = jnp.asarray(beta) if B is None else jnp.max(logits, axis=1, keepdims=True)
    w = jnp.exp(logits - shift) * alpha[None]
    w = w if mask is None else jnp.where(mask, w, 0)
    pull = w @ (x if V is None else x @ V.T)
    scale = _scale(jnp.sum(w, axis=1, keepdims=True), shift, beta, norm=norm)
    return sphere.tangent(x, pull * scale)


def blocked_velocity(
    x: Float[Array, "T D"],
    alpha: Float[Array, "T"],
    beta: Scalar,
    *,
    norm: Norm,
    block: int,
) -> Float[Array, "T D"]:
    """`velocity` with B = V = I, streamed over blocks of columns: O(T block) memory."""
    padding = -len(x) % block
    columns = jnp.pad(x, ((0, padding), (0, 0))).reshape(-1, block, x.shape[1])
    masses = jnp.pad(alpha, (0, padding)).reshape(-1, block)

    def body(carry, column):
        y, mass = column
        w = jnp.exp(beta * (x @ y.T - 1)) * mass[None]
        return (carry[0] + w @ y, carry[1] + jnp.sum(w, axis=1, keepdims=True)), None

    start = jnp.zeros_like(x), jnp.zeros_like(x[:, :1])
    (pull, total), _ = jax.lax.scan(body, start, (columns, masses))
    return sphere.tangent(x, pull * _scale(total, jnp.asarray(beta), beta, norm=norm))


def fourier_velocity(
    theta: Float[Array, "T"],
    alpha: Float[Array, "T"],
    beta: Scalar,
    *,
    norm: Norm,
    modes: int,
) -> Float[Array, "T"]:
    """dtheta_i/dt on the circle (D = 2) by Fourier series of the kernel: O(T modes), no pairs.

    e^{beta (cos phi - 1)} (times sin phi) is band-limited to rounding for
    modes >= 6 sqrt(beta) + 20; its coefficients come from an FFT, so that beta stays traced.
    """
    grid = 2 * jnp.pi * jnp.arange(4 * modes, dtype=theta.dtype) / (4 * modes)
    kernel = jnp.exp(beta * (jnp.cos(grid) - 1))
    even = jnp.fft.rfft(kernel)[: modes + 1].real / (4 * modes)
    odd = -jnp.fft.rfft(kernel * jnp.sin(grid))[: modes + 1].imag / (4 * modes)
    twice = jnp.where(jnp.arange(modes + 1) > 0, 2, 1)

    def body(carry, mode):
        k, a, b = mode
        cos, sin = jnp.cos(k * theta), jnp.sin(k * theta)
        c, s = alpha @ cos, alpha @ sin
        return (carry[0] + b * (cos * s - sin * c), carry[1] + a * (cos * c + sin * s)), None

    start = jnp.zeros_like(theta), jnp.zeros_like(theta)
    series = jnp.arange(modes + 1, dtype=theta.dtype), even * twice, odd * twice
    (pull, total), _ = jax.lax.scan(body, start, series)
    return pull * _scale(total, jnp.asarray(beta), beta, norm=norm)


def _scale(total, shift, beta, *, norm: Norm):
    """Factor that turns sums weighted by e^{logit - shift} into the flow's own."""
    if norm not in get_args(Norm):
        raise ValueError(f"norm is one of {get_args(Norm)}, got {norm!r}")
    if norm == "sa":
        return 1 / total
    return jnp.exp(shift) if norm == "usa" else jnp.exp(shift - beta)


def partition(x: Float[Array, "T D"], alpha: Float[Array, "T"], beta: Scalar) -> Float[Array, "T"]:
    """e^{-beta} Zbar_i = sum_k alpha_k e^{beta (<x_i,x_k> - 1)}."""
    return jnp.exp(beta * (x @ x.T - 1)) @ alpha


def normalised_energy(
    x: Float[Array, "T D"], alpha: Float[Array, "T"], beta: Scalar
) -> Float[Array, ""]:
    """Ehat = 2 beta e^{-beta} E = sum_ij alpha_i alpha_j e^{beta (<x_i,x_j> - 1)}, in (0, 1].

    One iff there is a single cluster (beta > 0); the sum of squared masses on a plateau.
    """
    return alpha @ partition(x, alpha, beta)


def energy(x: Float[Array, "T D"], alpha: Float[Array, "T"], beta: Scalar) -> Float[Array, ""]:
    """E = (1 / 2 beta) sum_ij alpha_i alpha_j e^{beta <x_i,x_j>}, beta != 0; the flows raise it."""
    return jnp.exp(beta) / (2 * beta) * normalised_energy(x, alpha, beta)


def dissipation(
    x: Float[Array, "T D"], alpha: Float[Array, "T"], beta: Scalar, *, norm: Norm
) -> Float[Array, ""]:
    """dE/dt along the flow: sum_i alpha_i g_i |dx_i/dt|^2.

    g = Zbar for SA, 1 for USA, e^beta for USA-shifted.
    """
    speed = jnp.sum(velocity(x, alpha, beta, norm=norm) ** 2, axis=1)
    if norm == "usa":
        return alpha @ speed
    metric = partition(x, alpha, beta) if norm == "sa" else jnp.ones_like(alpha)
    return jnp.exp(beta) * (alpha @ (metric * speed))


def order_parameter(x: Float[Array, "T D"], alpha: Float[Array, "T"]) -> Float[Array, ""]:
    """R = |sum_i alpha_i x_i|; |R|^2 / 2 is what is left of the energy as beta -> 0."""
    return jnp.linalg.norm(alpha @ x)
