"""Noise covariance and curvature (arXiv 2602.05600): the strict bounds, and laws known in advance.

C = Cov(g), H = E[h], E2 = E[h^2] over samples. The paper: C is proportional to E2, and
C_ii ~ H_ii^gamma in the eigenbasis of H with 1 <= gamma <= 2. The planted laws are sets of samples
for which gamma, or the whole of C, is known; they tell a wrong estimator from a wrong claim.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from feedrun.maths import curvature
from feedrun.maths.curvature import Diagonals

Scalar = Float[Array, ""]


class Softmax(NamedTuple):
    """Softmax regression with weights W on inputs a and labels y."""

    W: Float[Array, "C D"]
    a: Float[Array, "B D"]
    y: Int[Array, "B"]


class RankOne(NamedTuple):
    """Per-sample Hessians kap u u^T with unit vectors u."""

    kap: Float[Array, "B"]
    u: Float[Array, "B D"]


class Loss(NamedTuple):
    """A loss of one sample's logits and label, with what theory may take for granted of it.

    nll: it is -log of the probability that the model gives the label; then the Fisher matrix is H.
    convex: in the logits; then the Hessians h of a layer of a piecewise-linear network are
    positive semi-definite, and both halves of the sandwich hold.
    """

    value: Callable[..., Float[Array, ""]]
    nll: bool
    convex: bool


def cross_entropy(logits: Float[Array, "C"], y: Int[Array, ""]) -> Scalar:
    """-log softmax(logits)_y."""
    return jax.nn.logsumexp(logits) - logits[y]


def softmax_mse(logits: Float[Array, "C"], y: Int[Array, ""]) -> Scalar:
    """The paper's MSE: mean over the classes of (softmax(logits) - onehot(y))^2."""
    return logit_mse(jax.nn.softmax(logits), y)


def logit_mse(logits: Float[Array, "C"], y: Int[Array, ""]) -> Scalar:
    """The MSE without softmax, an option of the paper's code: mean of (logits - onehot(y))^2."""
    return ((logits - jax.nn.one_hot(y, len(logits), dtype=logits.dtype)) ** 2).mean()


LOSSES = {
    "cross_entropy": Loss(cross_entropy, nll=True, convex=True),
    "softmax_mse": Loss(softmax_mse, nll=False, convex=False),
    "logit_mse": Loss(logit_mse, nll=False, convex=True),
}


def sandwich_slack(d: Diagonals, kap_max: Scalar) -> Scalar:
    """How far H_ii^2 <= E2_ii <= kap_max H_ii is from tight: the least ratio, below 1 if violated.

    Exact for positive semi-definite h_p with largest eigenvalue kap_max, in any orthonormal basis.
    Directions with H_ii = 0 are left out.
    """
    curved = d.H > 0
    lower = jnp.where(curved, d.E2 / jnp.where(curved, d.H, 1) ** 2, jnp.inf)
    upper = jnp.where(curved, kap_max * d.H / jnp.where(curved, d.E2, 1), jnp.inf)
    return jnp.minimum(lower.min(), upper.min())


def fisher_factor(logits_of_z, z: Float[Array, "O"]) -> Float[Array, "O O"]:
    """E_y[delta delta^T] with y drawn from the model's own softmax; the sum over y is exact.

    With a a^T it gives the Fisher matrix. Equal to the S of cross-entropy, and of no other loss,
    for a piecewise-linear network.
    """
    logits = logits_of_z(z)
    labels = jnp.arange(len(logits))
    delta = jax.vmap(jax.grad(lambda z, y: cross_entropy(logits_of_z(z), y)), (None, 0))(z, labels)
    return (delta * jax.nn.softmax(logits)[:, None]).T @ delta


def planted_wells(key, q: Float[Array, "D"], *, samples: int, s: float, tau: float) -> Diagonals:
    """Diagonals of C, H and E2 of quadratic wells with gamma = 1 + s and C = tau^2 E2.

    A sample picks a direction i uniformly; with probability q_i^(1-s) its loss is
    q_i^s (w_i - m)^2 / 2, m ~ N(0, tau^2), else 0; taken at w = 0. In the population
    H_ii = q_i / D and E2_ii = q_i^(1+s) / D; two samples of one well differ by sigma_w^2 = 2 tau^2.
    """
    direction_key, well_key, centre_key = jax.random.split(key, 3)
    D, i = len(q), jax.random.randint(direction_key, (samples,), 0, len(q))
    inside = jax.random.uniform(well_key, (samples,), q.dtype) < q[i] ** (1 - s)
    kap = jnp.where(inside, q[i] ** s, 0)
    g = -kap * tau * jax.random.normal(centre_key, (samples,), q.dtype)

    def average(x):
        return jnp.zeros(D, q.dtype).at[i].add(x) / samples

    return Diagonals(average(g**2) - average(g) ** 2, average(kap), average(kap**2))


def well_specified_softmax(key, scale: Float[Array, "D"], *, samples: int, classes: int) -> Softmax:
    """Labels drawn from the model itself at its own weights: C = F = H, so gamma = 1.

    Inputs are N(0, diag(scale^2)). The D directions that shift all logits alike have H = 0.
    """
    W_key, a_key, y_key = jax.random.split(key, 3)
    W = jax.random.normal(W_key, (classes, len(scale)), scale.dtype)
    a = scale[None] * jax.random.normal(a_key, (samples, len(scale)), scale.dtype)
    return Softmax(W, a, jax.random.categorical(y_key, a @ W.T))


def independent_curvature(
    key, spectrum: Float[Array, "D"], *, samples: int, sigma: float
) -> RankOne:
    """Curvature kap = exp(sigma N(0, 1)) independent of direction u = x / |x|: population gamma 1.

    x ~ N(0, diag(spectrum)). In a finite sample the few stiffest define the stiff eigenvectors.
    """
    x_key, kap_key = jax.random.split(key)
    x = jnp.sqrt(spectrum)[None] * jax.random.normal(
        x_key, (samples, len(spectrum)), spectrum.dtype
    )
    kap = jnp.exp(sigma * jax.random.normal(kap_key, (samples,), spectrum.dtype))
    return RankOne(kap, x / jnp.linalg.norm(x, axis=1, keepdims=True))


def planted_bands(
    key, at: Float[Array, "D"], *, samples: int, s: float, sigma: float, width: float
) -> RankOne:
    """Directions that do depend on curvature: gamma near 1 + s, in no sample's eigenbasis exactly.

    A sample has a place t in [0, 1], of density 10^(-4 (1-s) t), curvature
    10^(-4 s t) exp(sigma N(0, 1)), and a direction spread over the axes with |at - t| of order
    `width`. So H_ii falls as 10^(-4 at_i) and E2_ii as 10^(-4 (1+s) at_i), away from the ends. The
    signs of the components are independent: in the population both are diagonal on the axes.
    """
    t_key, x_key, kap_key = jax.random.split(key, 3)
    rate = 4 * (1 - s) * math.log(10)
    U = jax.random.uniform(t_key, (samples,), at.dtype)
    t = -jnp.log1p(-U * (1 - math.exp(-rate))) / rate
    spread = jnp.exp(-((at[None] - t[:, None]) ** 2) / (4 * width**2))
    x = spread * jax.random.normal(x_key, (samples, len(at)), at.dtype)
    kap = jnp.exp(sigma * jax.random.normal(kap_key, (samples,), at.dtype)) * 10 ** (-4 * s * t)
    return RankOne(kap, x / jnp.linalg.norm(x, axis=1, keepdims=True))


def rank_one_moments(f: RankOne) -> tuple[Float[Array, "D D"], Float[Array, "D D"]]:
    """H = E[kap u u^T] and E2 = E[kap^2 u u^T]."""
    count = len(f.kap)
    return (f.u * f.kap[:, None]).T @ f.u / count, (f.u * f.kap[:, None] ** 2).T @ f.u / count


def softmax_factors(W: Float[Array, "C D"], a: Float[Array, "D"], y) -> curvature.Factors:
    """Per-sample factors of softmax regression."""
    return curvature.layer_factors(lambda z: cross_entropy(z, y), W, a)
