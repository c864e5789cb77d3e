"""The linear-Gaussian families LG1, LG4, LG4-K and LG-MOP: priors over systems, and sampling.

    z_1 ~ N(0, I),   y_t = C z_t + N(0, r I),   z_{t+1} = A z_t + N(0, q I)

Token t is (y_{t-1}, 1{t = 1}), target t is y_t. Sizes are our own: the paper's
are not known.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths import orthogonal
from feedrun.maths.draws import normals
from feedrun.papers.ssm_icl.families import base
from feedrun.papers.ssm_icl.families.base import Batch

LG4_STATE, LG4_NOISE = 4, 0.25
LG4_DECAYS = (0.8, 0.98)
"""LG4: states, variance of the observation's noise, range of the decay kappa."""

MOP_STATE, MOP_OUTPUTS, MOP_RADIUS, MOP_DEVIATION, MOP_TAPS = 10, 5, 0.95, 0.1, 5
"""LG-MOP (public code of Balim et al., 2308.08536): states, coordinates of y, spectral radius,
standard deviation of both noises, white draws summed where they are coloured."""


class Tasks(NamedTuple):
    """B systems: A (B, N, N), C (B, O, N), variances q and r (B,) of both noises."""

    A: Float[Array, "B N N"]
    C: Float[Array, "B O N"]
    q: Float[Array, "B"]
    r: Float[Array, "B"]


def lg1_grid(*, decays: int = 24, noises: int = 16) -> Tasks:
    """All tasks of LG1, a uniform prior: a on [0.5, 0.98], r log-spaced on [0.1, 2], q = 1 - a^2.

    The state is a number of variance 1 and C = 1. 24 x 16 tasks, so that their mixture is exact.
    """
    a = jnp.repeat(jnp.linspace(0.5, 0.98, decays), noises)
    r = jnp.tile(jnp.geomspace(0.1, 2.0, noises), decays)
    return Tasks(a[:, None, None], jnp.ones((len(a), 1, 1)), 1 - a**2, r)


def scalar(*, a: float, r: float) -> Tasks:
    """One system of LG1: z_{t+1} = a z_t + N(0, 1 - a^2), seen with noise r."""
    one = jnp.ones((1, 1, 1))
    return Tasks(a * one, one, jnp.full((1,), 1 - a**2), jnp.full((1,), r))


def rotation(*, modulus: float = 0.95, degrees: float = 30.0, r: float = 0.25) -> Tasks:
    """One system of two states that turn and decay, the first seen with noise r.

    Its filter's poles are complex, 0.574 +- 0.315 i at the default numbers.
    """
    turn = jnp.deg2rad(degrees)
    A = modulus * jnp.array([[jnp.cos(turn), -jnp.sin(turn)], [jnp.sin(turn), jnp.cos(turn)]])
    C = jnp.array([[[1.0, 0.0]]])
    return Tasks(A[None], C, jnp.full((1,), 1 - modulus**2), jnp.full((1,), r))


def lg4(
    key: Key[Array, ""],
    count: int,
    *,
    decays: tuple[float, float] = LG4_DECAYS,
    noise: float = LG4_NOISE,
) -> Tasks:
    """Tasks of LG4: A = kappa O with O Haar on O(4), C a unit vector, q = 1 - kappa^2, r = 1/4.

    Then Cov(z_t) = I and Var(y_t) = 1.25 at every t. Other ranges of kappa (`decays`) and
    variances r (`noise`) are what a network trained on these can be tested on.
    """
    kappa_key, normal_key = jax.random.split(key)
    low, high = decays
    kappa = jax.random.uniform(kappa_key, (count,), minval=low, maxval=high)
    turns = orthogonal.shapes(count, LG4_STATE)
    c, *parts = normals(normal_key, [(count, 1, LG4_STATE), *turns])
    return Tasks(
        kappa[:, None, None] * orthogonal.haar(parts),
        c / jnp.linalg.norm(c, axis=-1, keepdims=True),
        1 - kappa**2,
        jnp.full((count,), noise),
    )


def mop(key: Key[Array, ""], count: int, *, triangular: bool) -> Tasks:
    """Tasks of LG-MOP: dense A with entries U[0, 1], or upper triangular, at spectral radius 0.95.

    Dense A is rescaled to the radius. A triangular one has diagonal 0.95 U(-1, 1) and U(-1, 1)
    above it. C has entries U[0, 1]; it is observable with probability 1, so no draw is rejected.
    """
    a_key, diagonal_key, c_key = jax.random.split(key, 3)
    shape = (count, MOP_STATE, MOP_STATE)
    if triangular:
        diagonal = jax.random.uniform(diagonal_key, shape[:2], minval=-1, maxval=1)
        above = jnp.triu(jax.random.uniform(a_key, shape, minval=-1, maxval=1), k=1)
        A = above + jax.vmap(jnp.diag)(MOP_RADIUS * diagonal)
    else:
        A = jax.random.uniform(a_key, shape)
        A = A * (MOP_RADIUS / _perron(A))[:, None, None]
    variance = jnp.full((count,), MOP_DEVIATION**2)
    C = jax.random.uniform(c_key, (count, MOP_OUTPUTS, MOP_STATE))
    return Tasks(A, C, variance, variance)


def _perron(A: Float[Array, "B N N"], *, steps: int = 60) -> Float[Array, "B"]:
    """Spectral radius of positive matrices, by the power method.

    The second eigenvalue of a 10 x 10 matrix of U[0, 1] is a fifth of the first or so, and the
    geometric rate leaves nothing after 60 steps.
    """

    def body(v, _):
        grown = jnp.einsum("bij,bj->bi", A, v)
        size = jnp.linalg.norm(grown, axis=-1, keepdims=True)
        return grown / size, size[:, 0]

    start = jnp.ones(A.shape[:2], A.dtype) / A.shape[1] ** 0.5
    return jax.lax.scan(body, start, length=steps)[1][-1]


def chosen(tasks: Tasks, key: Key[Array, ""], count: int) -> Tasks:
    """`count` tasks drawn uniformly from a finite set, with replacement."""
    which = jax.random.randint(key, (count,), 0, len(tasks.q))
    return jax.tree.map(lambda leaf: leaf[which], tasks)


def trajectories(
    key: Key[Array, ""], tasks: Tasks, *, length: int, taps: int = 1
) -> tuple[Float[Array, "B T N"], Float[Array, "B T O"]]:
    """States and observations of every task; each noise is the sum of its last `taps` draws.

    The state runs with the batch on the last axis, which vectorises; the noise is drawn before.
    """
    count, n = tasks.A.shape[:2]
    outputs, steps = tasks.C.shape[1], length + taps - 1
    A, C = tasks.A.transpose(1, 2, 0), tasks.C.transpose(1, 2, 0)
    shapes = [(n, count), (steps, n, count), (steps, outputs, count)]
    first, state_noise, noise = normals(key, shapes)
    w = moving_sum(state_noise, taps) * jnp.sqrt(tasks.q)[None, None]
    v = moving_sum(noise, taps) * jnp.sqrt(tasks.r)[None, None]

    def body(z, w):
        return jnp.sum(A * z[None], axis=1) + w, z

    _, z = jax.lax.scan(body, first, w)
    y = jnp.sum(C[None] * z[:, None], axis=2) + v
    return z.transpose(2, 0, 1), y.transpose(2, 0, 1)


def moving_sum(x: Float[Array, "S ..."], taps: int) -> Float[Array, "T ..."]:
    """Sums of the last `taps` numbers along the first axis, T = S - taps + 1."""
    length = len(x) - taps + 1
    return sum((x[k : k + length] for k in range(1, taps)), start=x[:length])


def sampler(draw: Callable[[Any, int], Tasks], *, taps: int = 1) -> Callable[..., Batch]:
    """sample(key, count, length) of a family whose tasks come from draw(key, count)."""

    def sample(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        task_key, path_key = jax.random.split(key)
        tasks = draw(task_key, count)
        z, y = trajectories(path_key, tasks, length=length, taps=taps)
        hidden = {"state": z, "signal": jnp.einsum("bon,btn->bto", tasks.C, z)}
        return Batch(tokens(y), y, jnp.ones(count), y[..., :0], tasks, hidden)

    return sample


def tokens(y: Float[Array, "B T O"]) -> Float[Array, "B T I"]:
    """Token t: (y_{t-1}, 1{t = 1})."""
    return jnp.concatenate([base.shifted(y), base.first_flag(y)], axis=-1)
