"""Oracles against dense Gaussian conditioning, in float64 and for every position."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import kalman, kalman_lanes
from feedrun.papers.ssm_icl.families import linear_gaussian, regression
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families import regression_oracles as exact
from feedrun.papers.ssm_icl.families.regression import NOISE
from feedrun.papers.ssm_icl.oracles import exact as checks_exact

D, T, B = regression.REGRESSORS, 9, 4
rng = np.random.default_rng(0)


def conditioned(cov, y):
    """Means and variances of y_t given the rows before it; cov (T, T), zero mean."""
    rows = []
    for t in range(len(y)):
        gain = np.linalg.solve(cov[:t, :t], cov[:t, t])
        rows.append((gain @ y[:t], cov[t, t] - gain @ cov[:t, t]))
    return np.array(rows).T


def design(seed=0):
    own = np.random.default_rng(seed)
    return own.standard_normal((T, D, B)), own.standard_normal((T, B))


def correlation(rho, steps=T):
    return rho ** np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))


@pytest.mark.parametrize("rho", [0.0, 0.9, -0.6])
def test_coloured_regression_is_conditioning_the_joint_gaussian(rho):
    x, y = design()
    found = jax.jit(exact.coloured_regression)(jnp.asarray(x), jnp.asarray(y), jnp.full((B,), rho))
    for b in range(B):
        cov = x[:, :, b] @ x[:, :, b].T / D + NOISE * correlation(rho)
        mean, var = conditioned(cov, y[:, b])
        np.testing.assert_allclose(found.mean[:, b], mean, atol=1e-10)
        np.testing.assert_allclose(found.var[:, b], var, atol=1e-10)


def test_spread_and_leverage_are_those_of_the_posterior_of_w():
    x, y = design()
    rho = 0.7
    found = jax.jit(exact.coloured_regression)(jnp.asarray(x), jnp.asarray(y), jnp.full((B,), rho))
    for t in range(1, T):
        X = x[:t, :, 0]
        P = np.linalg.inv(D * np.eye(D) + X.T @ np.linalg.solve(NOISE * correlation(rho, t), X))
        np.testing.assert_allclose(found.spread[t, 0], np.trace(P), rtol=1e-10)
        np.testing.assert_allclose(found.leverage[t, 0], X[-1] @ P @ X[-1], rtol=1e-10)


@pytest.mark.parametrize("a", [1.0, 0.9])
def test_drifting_regression_is_conditioning_the_joint_gaussian(a):
    x, y = design(1)
    found = jax.jit(exact.drifting_regression)(jnp.asarray(x), jnp.asarray(y), jnp.full((B,), a))
    for b in range(B):
        cov = correlation(a) * (x[:, :, b] @ x[:, :, b].T) / D + NOISE * np.eye(T)
        mean, var = conditioned(cov, y[:, b])
        np.testing.assert_allclose(found.mean[:, b], mean, atol=1e-10)
        np.testing.assert_allclose(found.var[:, b], var, atol=1e-10)


@pytest.mark.parametrize("white", [0.0, 0.2])
def test_the_state_form_is_conditioning_too_with_white_noise_on_top(white):
    x, y = design(2)
    rho = jnp.full((B,), 0.8)
    own = exact.state_form(rho, jnp.asarray(x), white=white)
    found = jax.jit(kalman_lanes.predict)(own, jnp.asarray(y)[:, None])
    for b in range(B):
        cov = x[:, :, b] @ x[:, :, b].T / D + NOISE * correlation(0.8) + white * np.eye(T)
        mean, var = conditioned(cov, y[:, b])
        np.testing.assert_allclose(found.mean[:, 0, b], mean, atol=1e-9)
        np.testing.assert_allclose(found.var[:, 0, b], var, atol=1e-9)


def test_unknown_correlation_mixes_dense_gaussians_by_their_likelihood():
    x, y = design(3)
    rhos = np.array([-0.5, 0.0, 0.6, 0.9])
    found = jax.jit(partial(exact.unknown_correlation, slab=3))(
        jnp.asarray(x).transpose(2, 0, 1), jnp.asarray(y).T, jnp.asarray(rhos)
    )
    for b in range(B):
        covs = [x[:, :, b] @ x[:, :, b].T / D + NOISE * correlation(rho) for rho in rhos]
        rows = np.array([conditioned(cov, y[:, b]) for cov in covs])
        logs = np.zeros(len(rhos))
        for t in range(T):
            w = np.exp(logs - logs.max())
            w /= w.sum()
            np.testing.assert_allclose(found.mean[b, t], w @ rows[:, 0, t], atol=1e-10)
            mean, var = rows[:, 0, t], rows[:, 1, t]
            logs = logs - (y[t, b] - mean) ** 2 / var / 2 - np.log(var) / 2


def test_bank_mixes_the_filters_of_its_tasks_whatever_groups_and_slabs():
    tasks = linear_gaussian.lg4(jax.random.key(0), 7)
    y = jnp.asarray(rng.standard_normal((5, T)))
    system = oracles.system(tasks)
    each = jax.vmap(lambda y: jax.vmap(lambda s: kalman.predict(s, y[:, None]))(system))(y)
    mean, var = np.asarray(each.mean)[..., 0], np.asarray(each.cov)[..., 0, 0]
    fit = (np.asarray(y)[:, None] - mean) ** 2 / var + np.log(var)
    logs = -np.cumsum(fit, axis=2) / 2
    logs = np.concatenate([np.zeros_like(logs[..., :1]), logs[..., :-1]], axis=2)
    w = np.exp(logs - logs.max(axis=1, keepdims=True))
    w /= w.sum(axis=1, keepdims=True)
    for group, slab in [(32, 256), (3, 2)]:
        found = jax.jit(partial(oracles.bank, group=group, slab=slab))(tasks, y)
        np.testing.assert_allclose(found.mean, (w * mean).sum(axis=1), atol=1e-10)
        np.testing.assert_allclose(found.effective, 1 / (w**2).sum(axis=1), rtol=1e-8)


def test_a_growing_bank_is_the_banks_of_its_beginnings():
    tasks = linear_gaussian.lg4(jax.random.key(7), 12)
    y = jnp.asarray(rng.standard_normal((3, T)))
    grown = jax.jit(partial(oracles.growing_bank, sizes=(4, 12), group=4, slab=2))(tasks, y)
    for k, size in enumerate((4, 12)):
        first = jax.tree.map(lambda leaf, size=size: leaf[:size], tasks)
        alone = jax.jit(oracles.bank)(first, y)
        np.testing.assert_allclose(grown.mean[k], alone.mean, atol=1e-12)
        np.testing.assert_allclose(grown.effective[k], alone.effective, rtol=1e-10)
    with pytest.raises(ValueError, match="multiples of 4, got"):
        oracles.growing_bank(tasks, y, sizes=(6, 12), group=4)


def test_bank_in_float32_is_the_bank_in_float64_to_four_digits():
    tasks = linear_gaussian.lg4(jax.random.key(1), 64)
    _, y = linear_gaussian.trajectories(jax.random.key(2), tasks, length=64)
    run = jax.jit(oracles.bank)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (tasks, y[..., 0]))
    found = run(*single)
    assert found.mean.dtype == jnp.float32
    # Likelihoods of 64 steps: rounding of 1e-7 each step moves log weights by 1e-5 or so.
    np.testing.assert_allclose(found.mean, run(tasks, y[..., 0]).mean, atol=2e-4)


def test_filters_equal_conditioning_on_dense_covariances():
    errors = checks_exact.filters(jax.random.key(3), tasks=8, steps=5)
    assert errors["kalman_error"] < 1e-10 and errors["lanes_error"] < 1e-10
    assert errors["associative_error"] < 1e-4  # float32, as the claim says


@pytest.mark.parametrize("taps", [1, 3])
def test_coloured_systems_have_the_covariance_of_their_moving_sums(taps):
    """The dense covariance of y from the augmented system is that of the definition."""
    own = linear_gaussian.mop(jax.random.key(4), 1, triangular=True)
    system = jax.tree.map(lambda leaf: np.asarray(leaf[0]), oracles.coloured_system(own, taps=taps))
    A, C = np.asarray(own.A[0]), np.asarray(own.C[0])
    q, r = float(own.q[0]), float(own.r[0])
    steps, n = 5, len(A)
    # y_t = C A^t z_0 + sum_s C A^(t-1-s) w_s + v_t, w and v moving sums of white noise.
    powers = [np.linalg.matrix_power(A, k) for k in range(steps)]
    draws = steps + taps
    maps = []
    for t in range(steps):
        state = np.zeros((n, draws, n))
        noise = np.zeros(draws)
        for s in range(t):
            for k in range(taps):
                state[:, s - k + taps] += powers[t - 1 - s]
        for k in range(taps):
            noise[t - k + taps] += 1
        maps.append((C @ powers[t], np.einsum("on,ndm->odm", C, state), noise))
    covs, P = [], system.cov
    for _ in range(steps):
        covs.append(P)
        P = system.A @ P @ system.A.T + system.Q
    for s in range(steps):
        for t in range(s, steps):
            ours = system.C @ np.linalg.matrix_power(system.A, t - s) @ covs[s] @ system.C.T
            (z1, w1, v1), (z2, w2, v2) = maps[t], maps[s]
            noise = q * np.einsum("odm,pdm->op", w1, w2) + r * (v1 @ v2) * np.eye(len(C))
            np.testing.assert_allclose(ours, z1 @ z2.T + noise, atol=1e-10)


def test_the_inflated_filter_without_colour_is_the_filter():
    tasks = linear_gaussian.mop(jax.random.key(5), 2, triangular=False)
    sample = linear_gaussian.sampler(lambda key, count: tasks)
    batch = jax.jit(lambda key: sample(key, count=2, length=6))(jax.random.key(6))
    plain = jax.jit(oracles.wide_genie)(batch)
    for other in (oracles.inflated_genie, oracles.coloured_genie):
        np.testing.assert_allclose(jax.jit(partial(other, taps=1))(batch), plain, atol=1e-8)
