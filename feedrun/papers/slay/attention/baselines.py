"""What SLAY is compared with at linear cost: FAVOR+, ReLU, ELU+1, cosFormer, uniform attention.

Kernels by features for one head, as the published code has them where it has them; queries and keys
are not normalised.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Key

from feedrun.maths.exponential_features import orthogonal_rows
from feedrun.maths.kernel_sums import Kernel
from feedrun.maths.linear_attention import kernel_attention


def favor(key: Key[Array, ""], dimension: int, count: int) -> Kernel:
    """FAVOR+: positive orthogonal features of e^{q k / sqrt(D)} (arXiv 2009.14794).

    Each query is shifted by its own maximum, which cancels. Keys are not: the reference's maximum
    over all of them lets the future into a causal output, by way of the 1e-6 that it adds.
    """
    omega = orthogonal_rows(key, count, dimension)
    return Kernel(Partial(partial(_exponentials, shift=True), omega), Partial(_exponentials, omega))


def favor_relu(key: Key[Array, ""], dimension: int, count: int) -> Kernel:
    """What the paper calls FAVOR+: relu(W u), W / sqrt(D) Gaussian and independent, drawn once."""
    W = jax.random.normal(key, (dimension, count)) / dimension**0.5
    phi = Partial(_relu, W)
    return Kernel(phi, phi)


def elu() -> Kernel:
    """elu(u) + 1, D features (Katharopoulos et al., arXiv 2006.16236)."""
    return Kernel(Partial(_elu), Partial(_elu))


def uniform() -> Kernel:
    """The control that looks at nothing: the mean of all values, or of those so far."""
    return Kernel(Partial(_one), Partial(_one))


def cosformer() -> Kernel:
    """relu(u) turned by its position, 2 D features, of rows (u, `turns`) (arXiv 2202.08791)."""
    return Kernel(Partial(_turned), Partial(_turned))


def turns(positions: Float[Array, "T"], length: int) -> Float[Array, "T 2"]:
    """(cos, sin) of pi i / (2 length): their products fall from 1 to 0 with distance."""
    angle = jnp.pi / 2 * positions / length
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)


def cosformer_attention(
    q: Float[Array, "T D"],
    k: Float[Array, "S D"],
    v: Float[Array, "S E"],
    *,
    longest: int | None,
    **options: Any,
) -> Float[Array, "T E"]:
    """cosFormer with M = `longest`, or S, the current length, as its authors have it.

    Positions count from 0, queries are the last ones.
    """
    turn = turns(jnp.arange(len(k), dtype=k.dtype), longest or len(k))
    return kernel_attention(cosformer(), (q, turn[len(k) - len(q) :]), (k, turn), v, **options)


def _exponentials(omega, u, *, shift=False):
    """(exp(w . u - |u|^2 / 2) + 1e-6) / sqrt(M) with u scaled by D^{-1/4}."""
    u = u / u.shape[1] ** 0.25
    exponent = u @ omega.astype(u.dtype).T - jnp.sum(u**2, axis=1, keepdims=True) / 2
    if shift:
        exponent -= jax.lax.stop_gradient(exponent.max(axis=1, keepdims=True))
    return (jnp.exp(exponent) + 1e-6) / len(omega) ** 0.5


def _relu(W, u):
    return jax.nn.relu(u @ W.astype(u.dtype))


def _elu(u):
    return jax.nn.elu(u) + 1


def _one(u):
    return jnp.ones_like(u[:, :1])


def _turned(rows):
    u, turn = rows
    return jax.nn.relu(u), turn
