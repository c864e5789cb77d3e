"""Closed forms of the paper's setting: risks of estimators, floors, the filter as an SSM cell.

Reconstructions of 2602.17744, whose body was not at hand. d regressors, n pairs in context, noise
of variance noise = Var eps, weights of variance prior = Var w_i.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from feedrun.maths import autoregression
from feedrun.papers.ssm_icl.families import Scalar
from feedrun.papers.ssm_icl.families.linear_gaussian import Tasks


def ols_risk(n: Float[Array, "T"], *, d: int, noise: float) -> Float[Array, "T"]:
    """noise (1 + d / (n - d - 1)) for x ~ N(0, I), for every rho; infinite below n = d + 2."""
    finite = n >= d + 2
    return jnp.where(finite, noise * (1 + d / jnp.where(finite, n - d - 1, 1)), jnp.inf)


def one_step_risk(
    n: Float[Array, "*T"], *, d: int, noise: float, prior: float
) -> Float[Array, "*T"]:
    """Risk of the best single gradient step from zero (LSA-opt), for every rho."""
    extra = d + 1 + noise / prior
    return noise + prior * d * extra / (n + extra)


def separation(rho: Scalar) -> Scalar:
    """Limit of best proper risk over Bayes risk on CNR, 1 / (1 - rho^2)."""
    return 1 / (1 - rho**2)


def efficiency(phi: Scalar, rho: Scalar) -> Scalar:
    """Var OLS / Var GLS for one AR(phi) regressor as n grows."""
    return (1 + rho * phi) * (1 + rho**2 - 2 * rho * phi) / ((1 - rho * phi) * (1 - rho**2))


class Proper(NamedTuple):
    """Risks averaged over w and the noise, for one design."""

    ols: Float[Array, ""]
    ridge: Float[Array, ""]
    one_step: Float[Array, ""]


def proper_risks(X: Float[Array, "N D"], rho: Scalar, *, noise: float, prior: float) -> Proper:
    """Risks on CNR of three estimators x.g(X^T X) X^T y for one design, exact.

    E|w^ - w|^2 = prior tr (I - G X^T X)^2 + tr G^T X^T Sigma X G for w^ = G X^T y, Sigma the
    covariance of AR(1) noise. Averaged over Gaussian X none depends on rho.
    """
    n, d = X.shape
    gram, eye = X.T @ X, jnp.eye(d, dtype=X.dtype)
    shaken = X.T @ (noise * ar1_correlation(n, rho, X.dtype)) @ X

    def risk(G: Float[Array, "D D"]) -> Float[Array, ""]:
        bias = eye - G @ gram
        return noise + prior * jnp.sum(bias * bias.T) + jnp.trace(G @ shaken @ G.T)

    ratio = noise / prior
    return Proper(
        risk(jnp.linalg.inv(gram)),
        risk(jnp.linalg.inv(gram + ratio * eye)),
        risk(eye / (n + d + 1 + ratio)),
    )


def ar1_correlation(n: int, rho: Scalar, dtype: Any = float) -> Float[Array, "N N"]:
    """rho^|i-j|."""
    steps = jnp.arange(n)
    return jnp.asarray(rho, dtype) ** jnp.abs(steps[:, None] - steps[None])


class Gap(NamedTuple):
    """Risks of the best proper predictor and of Bayes on CNR for one design, and the identity."""

    proper: Float[Array, ""]
    bayes: Float[Array, ""]
    identity: Float[Array, ""]


def dense_gap(X: Float[Array, "N D"], rho: Scalar, *, noise: float, prior: float) -> Gap:
    """Both risks by conditioning the dense Gaussian of (w, y_1 .. y_n+1) on y_1 .. y_n.

    Averaged over w, the noise and the next regressor ~ N(0, I). `identity` is
    rho^2 (noise - x_n^T P x_n), which their difference should be. O(N^3).
    """
    n, d = X.shape
    Sigma = noise * ar1_correlation(n, rho, X.dtype)
    cov = prior * X @ X.T + Sigma
    known = jnp.linalg.solve(cov, jnp.concatenate([prior * X, (rho * Sigma[-1])[:, None]], axis=1))
    P = prior * jnp.eye(d, dtype=X.dtype) - prior * X.T @ known[:, :d]
    reduced = jnp.trace(prior * X.T @ known[:, :d]) + rho * Sigma[-1] @ known[:, d]
    identity = rho**2 * (noise - X[-1] @ P @ X[-1])
    return Gap(noise + jnp.trace(P), prior * d + noise - reduced, identity)


def gls_variances(x: Float[Array, "N"], rho: Scalar) -> tuple[Scalar, Scalar]:
    """Variances of OLS and of GLS of one weight, for unit AR(1) noise and this regressor."""
    correlation = ar1_correlation(len(x), rho, x.dtype)
    return x @ correlation @ x / (x @ x) ** 2, 1 / (x @ jnp.linalg.solve(correlation, x))


def autocovariances(tasks: Tasks, *, lags: int) -> Float[Array, "L B"]:
    """gamma_h = C A^h C^T + r 1[h = 0], h = 0 .. lags, of families whose Cov(z_t) is I."""
    C = tasks.C[:, 0]

    def body(row, _):
        return jnp.einsum("bn,bnm->bm", row, tasks.A), jnp.sum(row * C, axis=1)

    _, gamma = jax.lax.scan(body, C, length=lags + 1)
    return gamma.at[0].add(tasks.r)


def lag_risks(tasks: Tasks, *, lags: int) -> Float[Array, "L B"]:
    """Risks of the best linear predictors from 0 .. lags past values, when the task is known."""
    return autoregression.levinson_durbin(autocovariances(tasks, lags=lags))


def order_blind_risk(n: int, *, a: float, r: float, last: bool) -> float:
    """Best linear prediction of y_{n+1} from the mean of y_1 .. y_n, order unseen.

    With `last`: from y_n and the mean of the others. For z_{t+1} = a z_t + N(0, 1 - a^2) seen with
    noise r; the Kalman filter's risk does not depend on n.
    """
    steps = np.arange(n)
    cov = a ** np.abs(steps[:, None] - steps[None]) + r * np.eye(n)
    features = np.full((1, n), 1 / n)
    if last:
        features = np.stack([np.eye(n)[-1], np.r_[np.full(n - 1, 1 / (n - 1)), 0.0]])
    cross = features @ a ** (n - steps)
    return float(1 + r - cross @ np.linalg.solve(features @ cov @ features.T, cross))


def pole_excess(gamma: Float[np.ndarray, "L"], poles: Inexact[np.ndarray, "N"]) -> float:
    """Excess of the best y^_{t+1} = sum_k g_k y_{t-k}, g a sum of powers of these poles.

    What a steady recurrence with those poles and the best drive and readout lacks: with Gamma and
    gamma the autocovariances of y and M the powers, gamma^T Gamma^-1 gamma less what the span of
    M explains, gamma^T M (M^T Gamma M)^-1 M^T gamma. `gamma`: lags 0 .. L - 1 of y.
    """
    steps = np.arange(len(gamma) - 1)
    powers = poles[None] ** steps[:, None]
    M = np.concatenate([powers.real, powers.imag], axis=1)
    M = M[:, np.abs(M).max(axis=0) > 0]
    Gamma, cross = gamma[np.abs(steps[:, None] - steps[None])], gamma[1:]
    explained = M.T @ cross
    return float(
        cross @ np.linalg.solve(Gamma, cross)
        - explained @ np.linalg.lstsq(M.T @ Gamma @ M, explained)[0]
    )


def best_real_pair(gamma: Float[np.ndarray, "L"], *, points: int = 50) -> float:
    """The least `pole_excess` of two real poles on a grid of `points` in (0, 1)."""
    grid = (np.arange(points) + 0.5) / points
    pairs = (np.stack([a, b]) for i, a in enumerate(grid) for b in grid[:i])
    return min(pole_excess(gamma, pair) for pair in pairs)


class Cell(NamedTuple):
    """One channel of a selective SSM at a constant input gate: h' = e^(delta A) h + delta B u."""

    delta: Float[Array, ""]
    A: Float[Array, ""]
    B: Float[Array, ""]


def filter_cell(a: Scalar, gain: Scalar) -> Cell:
    """The cell that is the steady Kalman predictor m' = (a - K) m + K y.

    A = -1, delta = -ln(a - K), B = K / delta; exists where 0 < a - K < 1, as transitions of real
    diagonal SSMs are positive.
    """
    delta = -jnp.log(jnp.asarray(a - gain))
    return Cell(delta, -jnp.ones_like(delta), gain / delta)


def run_cell(cell: Cell, u: Float[Array, "T"]) -> Float[Array, "T"]:
    """States h_1 = 0, h_2 .. h_T: row t has seen u_1 .. u_{t-1}."""

    def body(h, u):
        return jnp.exp(cell.delta * cell.A) * h + cell.delta * cell.B * u, h

    return jax.lax.scan(body, jnp.zeros((), u.dtype), u)[1]
