"""Exact checks of icl_oracles: filters against conditioning, Riccati, the hand-built cell, gaps.

Everything here is a number that theory fixes; each check pairs two independent computations.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from feedrun.maths import kalman, kalman_lanes, riccati
from feedrun.papers.ssm_icl import theory
from feedrun.papers.ssm_icl.families import linear_gaussian
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families.linear_gaussian import Tasks
from feedrun.papers.ssm_icl.families.regression import NOISE, REGRESSORS
from feedrun.papers.ssm_icl.oracles.reference import ORDER_BLIND, ROTATION, ROTATION_S, SCALARS

GAIN_STEPS = 40
PRIOR = 1 / REGRESSORS


def measure(
    key: jax.Array, *, tasks: int, steps: int, designs: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Summary and arrays of all exact checks, on `tasks` systems and `designs` regressions."""
    filter_key, gap_key, cell_key = jax.random.split(key, 3)
    summary = {name: float(v) for name, v in filters(filter_key, tasks=tasks, steps=steps).items()}
    summary["riccati_error"] = riccati_error()
    summary["order_blind_error"] = order_blind_error()
    summary |= {name: float(v) for name, v in cell_error(cell_key).items()}
    gaps = gap(gap_key, designs=designs)
    summary["gap_identity_error"] = float(
        np.abs((gaps["proper"] - gaps["bayes"] - gaps["identity"]).mean(axis=1)).max()
    )
    return summary, {f"gap_{name}": value for name, value in gaps.items()} | gains()


@partial(jax.jit, static_argnames=("tasks", "steps"))
def filters(key: jax.Array, *, tasks: int, steps: int) -> dict[str, Float[Array, ""]]:
    """Largest differences of the three filters from conditioning, and in float32 of each other."""
    task_key, path_key = jax.random.split(key)
    drawn = linear_gaussian.lg4(task_key, tasks)
    _, y = linear_gaussian.trajectories(path_key, drawn, length=steps)
    truth_mean, truth_var = jax.vmap(conditioned)(drawn, y[..., 0])
    plain = jax.vmap(kalman.predict)(oracles.system(drawn), y)
    fast = kalman_lanes.predict(oracles.lanes(drawn), y.transpose(1, 2, 0))
    single, y32 = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (drawn, y))
    plain32 = jax.vmap(kalman.predict)(oracles.system(single), y32)
    parallel32 = jax.vmap(kalman.predict_associative)(oracles.system(single), y32)

    def worst(a, b):
        return jnp.abs(a - b).max()

    return {
        "kalman_error": jnp.maximum(
            worst(plain.mean[..., 0], truth_mean), worst(plain.cov[..., 0, 0], truth_var)
        ),
        "lanes_error": jnp.maximum(
            worst(fast.mean[:, 0].T, truth_mean), worst(fast.var[:, 0].T, truth_var)
        ),
        "associative_error": worst(plain32.mean, parallel32.mean),
    }


def conditioned(task: Tasks, y: Float[Array, "T"]) -> tuple[Float[Array, "T"], Float[Array, "T"]]:
    """E[y_t | y_1 .. y_{t-1}] and its variance for one task, from the dense covariance of y.

    The covariance is gamma_|i-j| as Cov(z_t) = I. With its Cholesky factor L the innovations are
    L^-1 y, so that y_t - E y_t = L_tt (L^-1 y)_t.
    """
    T = len(y)
    gamma = theory.autocovariances(jax.tree.map(lambda leaf: leaf[None], task), lags=T - 1)[:, 0]
    steps = jnp.arange(T)
    L = jnp.linalg.cholesky(gamma[jnp.abs(steps[:, None] - steps[None])])
    scale = jnp.diagonal(L)
    return y - scale * jax.scipy.linalg.solve_triangular(L, y, lower=True), scale**2


def scalar_systems() -> kalman.System:
    """z' = a z + N(0, q), y = z + N(0, r), z_1 ~ N(0, 1) for every row of SCALARS."""
    a, q, r = (jnp.array(column)[:, None, None] for column in zip(*SCALARS, strict=True))
    one = jnp.ones_like(a)
    return kalman.System(a, one, q, r, jnp.zeros_like(a)[..., 0], one)


def rotation_system() -> kalman.System:
    """A = 0.95 Rot(30 degrees), C = [1, 0], Q = (1 - 0.95^2) I, R = 1/4."""
    decay, angle, r = ROTATION
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    eye = np.eye(2)
    matrices = (decay * turn, eye[:1], (1 - decay**2) * eye, r * eye[:1, :1], np.zeros(2), eye)
    return kalman.System(*(jnp.asarray(matrix) for matrix in matrices))


@jax.jit
def gain_paths(system: kalman.System) -> tuple[Array, Array, riccati.Steady]:
    """Predictor gains K_t (40, N) of a system with one y, variances S_t (40,), steady state."""
    rows = kalman.predict(system, jnp.zeros((GAIN_STEPS, 1)))
    S = rows.cov[:, 0, 0]
    gain = jnp.einsum("nm,tmk,ok->tn", system.A, rows.state_cov, system.C) / S[:, None]
    return gain, S, riccati.steady(system)


def riccati_error() -> float:
    """Largest deviation from the tables of steady states and of transients."""
    found = jax.jit(jax.vmap(riccati.steady))(scalar_systems())
    P, S, K = (np.asarray(v)[:, 0, 0] for v in found)
    a = np.array([row[0] for row in SCALARS])
    table = np.array(list(SCALARS.values()))
    steady = np.abs(np.stack([P, K, S, a - K], axis=1) - table).max()
    S = np.asarray(gain_paths(rotation_system())[1])
    moments = np.array(list(ROTATION_S)) - 1
    return float(max(steady, np.abs(S[moments] - list(ROTATION_S.values())).max()))


def order_blind_error() -> float:
    """Largest deviation from the table of order-blind linear predictors."""
    return max(
        abs(float(theory.order_blind_risk(n, a=0.9, r=1.0, last=last)) - expected)
        for last, row in ORDER_BLIND.items()
        for n, expected in row.items()
    )


def cell_error(key: jax.Array, *, length: int = 200) -> dict[str, Float[Array, ""]]:
    """The hand-built SSM cell against the steady filter, float32 as a network's."""

    @jax.jit
    def worst(key, a, q, r):
        P = riccati.steady_number(a, q, r)
        gain = a * P / (P + r)
        u = jax.random.normal(key, (length,))

        def body(m, y):
            return (a - gain) * m + gain * y, m

        truth = jax.lax.scan(body, jnp.zeros(()), u)[1]
        cell = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), theory.filter_cell(a, gain))
        return jnp.abs(theory.run_cell(cell, u.astype(jnp.float32)) - truth).max()

    return {"cell_error": worst(key, *jnp.array([0.9, 0.19, 1.0]))}


def gap(key: jax.Array, *, designs: int, n: int = 40) -> dict[str, np.ndarray]:
    """Risks at n = 40 over rho: (rho, designs) of Bayes, best proper, the identity, estimators."""
    rhos = jnp.linspace(-0.95, 0.95, 39)
    X = jax.random.normal(key, (designs, n, REGRESSORS))

    @jax.jit
    def over(X, rhos):
        def one(rho):
            dense = jax.vmap(lambda X: theory.dense_gap(X, rho, noise=NOISE, prior=PRIOR))(X)
            plain = jax.vmap(lambda X: theory.proper_risks(X, rho, noise=NOISE, prior=PRIOR))(X)
            return dense._asdict() | plain._asdict()

        return jax.lax.map(one, rhos)

    return {"rhos": np.asarray(rhos)} | {k: np.asarray(v) for k, v in over(X, rhos).items()}


def gains() -> dict[str, np.ndarray]:
    """Predictor gains over time of the scalar systems (5, 40, 1) and of the rotation (40, 2).

    With variances S_t and the steady gains.
    """
    found = {}
    scalars = jax.jit(jax.vmap(gain_paths))(scalar_systems())
    for name, paths in {"scalar": scalars, "rotation": gain_paths(rotation_system())}.items():
        gain, S, steady = paths
        found |= {f"gain_{name}": np.asarray(gain), f"variance_{name}": np.asarray(S)}
        found[f"steady_{name}"] = np.asarray(steady.gain)[..., 0]
        found[f"limit_{name}"] = np.asarray(steady.cov)[..., 0, 0]
    return found
