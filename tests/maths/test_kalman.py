"""Kalman filters against conditioning the dense joint Gaussian, in all three forms."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import kalman, kalman_lanes
from feedrun.maths.kalman import System
from feedrun.maths.kalman_lanes import Lanes

predict = jax.jit(kalman.predict)
associative = jax.jit(kalman.predict_associative)
lanes_predict = jax.jit(kalman_lanes.predict)


def make(*, N=3, outputs=2, T=12, seed=0, dtype: Any = np.float64, varying=False):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((N, N))
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    C = rng.standard_normal((T, outputs, N) if varying else (outputs, N))
    root = rng.standard_normal((N, N))
    Q, R = np.diag(rng.uniform(0.1, 1, N)), np.diag(rng.uniform(0.1, 1, outputs))
    mean, cov = rng.standard_normal(N), root @ root.T + np.eye(N)
    system = System(*(jnp.asarray(m, dtype) for m in (A, C, Q, R, mean, cov)))
    return system, jnp.asarray(rng.standard_normal((T, outputs)), dtype)


def conditioned(system, y):
    """Mean and covariance of every y_t given the rows before it, from the joint covariance."""
    A, C, Q, R, mean, cov = (np.asarray(m, float) for m in system)
    T, k = y.shape
    C = np.broadcast_to(C, (T, *C.shape[-2:]))
    means, covs = [mean], [cov]
    for _ in range(T - 1):
        means.append(A @ means[-1])
        covs.append(A @ covs[-1] @ A.T + Q)
    centre = np.concatenate([C[t] @ means[t] for t in range(T)])
    joint = np.zeros((T * k, T * k))
    for s in range(T):
        for t in range(s, T):
            block = C[t] @ np.linalg.matrix_power(A, t - s) @ covs[s] @ C[s].T
            block = block + R if s == t else block
            joint[t * k : (t + 1) * k, s * k : (s + 1) * k] = block
            joint[s * k : (s + 1) * k, t * k : (t + 1) * k] = block.T
    rows = []
    flat = np.asarray(y).ravel() - centre
    for t in range(T):
        past, now = slice(0, t * k), slice(t * k, (t + 1) * k)
        gain = np.linalg.solve(joint[past, past], joint[past, now]).T
        rows.append((centre[now] + gain @ flat[past], joint[now, now] - gain @ joint[past, now]))
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("varying", [False, True])
def test_predictions_are_conditionals_of_the_joint_gaussian(varying):
    system, y = make(varying=varying)
    mean, cov = conditioned(system, y)
    found = predict(system, y)
    np.testing.assert_allclose(found.mean, mean, atol=1e-10)
    np.testing.assert_allclose(found.cov, cov, atol=1e-10)


@pytest.mark.parametrize("outputs", [1, 2])
def test_associative_scan_is_the_sequential_filter(outputs):
    system, y = make(outputs=outputs)
    expected, found = predict(system, y), associative(system, y)
    for one, two in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-10)


def test_associative_combination_does_not_depend_on_the_brackets():
    system, y = make(T=4)
    a, b, c = (kalman._element(system, row) for row in y[:3])
    left = kalman._combine(kalman._combine(a, b), c)
    right = kalman._combine(a, kalman._combine(b, c))
    for one, two in zip(left, right, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)


def test_associative_scan_needs_a_constant_c():
    with pytest.raises(ValueError, match=r"constant, \(O, N\); got shape \(12, 2, 3\)"):
        kalman.predict_associative(*make(varying=True))


def stacked(systems):
    """The systems as lanes, the batch on the last axis; Q and R are diagonal."""
    A, C, Q, R, mean, cov = (np.stack(m, axis=-1) for m in zip(*systems, strict=True))
    diagonal = np.einsum("iib->ib", Q), np.einsum("iib->ib", R)
    return Lanes(*(jnp.asarray(m) for m in (A, C, *diagonal, mean, cov)))


@pytest.mark.parametrize("varying", [False, True])
def test_lanes_with_one_coordinate_are_the_textbook_filter(varying):
    made = [make(outputs=1, seed=seed, varying=varying) for seed in range(5)]
    y = jnp.stack([y for _, y in made], axis=-1)
    found = lanes_predict(stacked([system for system, _ in made]), y)
    for k, (system, own) in enumerate(made):
        expected = predict(system, own)
        np.testing.assert_allclose(found.mean[..., k], expected.mean, atol=1e-10)
        np.testing.assert_allclose(found.var[..., k], expected.cov[..., 0], atol=1e-10)


def test_coordinates_one_after_the_other_give_the_likelihood_of_all_at_once():
    system, y = make(outputs=2)
    rows = lanes_predict(stacked([system]), y[..., None])
    each = -((y - rows.mean[..., 0]) ** 2 / rows.var[..., 0]) / 2
    ours = (each - np.log(2 * np.pi * rows.var[..., 0]) / 2).sum(axis=1)
    expected = predict(system, y)
    error = y - expected.mean
    fit = np.einsum("to,tok,tk->t", error, np.linalg.inv(expected.cov), error)
    log_det = np.linalg.slogdet(2 * np.pi * expected.cov)[1]
    np.testing.assert_allclose(ours, -(fit + log_det) / 2, atol=1e-10)


def test_diagonal_dynamics_are_the_full_ones_with_a_diagonal_matrix():
    systems = [make(outputs=1, seed=seed)[0] for seed in range(4)]
    lanes = stacked(systems)
    decay = jnp.asarray(np.random.default_rng(1).uniform(0.2, 1, (3, 4)))
    full = jnp.asarray(np.einsum("ib,ij->ijb", decay, np.eye(3)))
    y = jnp.asarray(np.random.default_rng(2).standard_normal((9, 1, 4)))
    one = lanes_predict(lanes._replace(A=decay), y)
    two = lanes_predict(lanes._replace(A=full), y)
    np.testing.assert_allclose(one.mean, two.mean, atol=1e-12)
    np.testing.assert_allclose(one.var, two.var, atol=1e-12)


def test_models_times_series_broadcast_and_share_their_covariances():
    lanes = stacked([make(outputs=1, seed=seed)[0] for seed in range(3)])
    outer = jax.tree.map(lambda leaf: leaf[..., None], lanes)
    y = jnp.asarray(np.random.default_rng(3).standard_normal((7, 1, 5)))
    found = lanes_predict(outer, y[:, :, None])
    assert found.mean.shape == (7, 1, 3, 5) and found.var.shape == (7, 1, 3, 1)
    for b in range(5):
        alone = lanes_predict(lanes, jnp.broadcast_to(y[..., b, None], (7, 1, 3)))
        np.testing.assert_allclose(found.mean[..., b], alone.mean, atol=1e-12)


def test_trace_and_quadratic_form_are_those_of_the_state_covariance():
    system, y = make(outputs=1)
    _, moments = jax.jit(kalman_lanes.run)(stacked([system]), y[..., None])
    P = predict(system, y).state_cov
    x = np.random.default_rng(4).standard_normal((len(y), 3))
    np.testing.assert_allclose(
        jax.vmap(kalman_lanes.trace)(moments)[:, 0], np.trace(P, axis1=1, axis2=2), atol=1e-10
    )
    np.testing.assert_allclose(
        jax.vmap(kalman_lanes.quadratic)(moments, jnp.asarray(x)[..., None])[:, 0],
        np.einsum("ti,tij,tj->t", x, P, x),
        atol=1e-10,
    )


def test_float32_stays_float32_and_close():
    system, y = make(outputs=1, dtype=np.float32)
    wide, exact = make(outputs=1)
    found = associative(system, y)
    lanes = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), stacked([wide]))
    fast = lanes_predict(lanes, y[..., None])
    assert found.mean.dtype == fast.mean.dtype == predict(system, y).mean.dtype == jnp.float32
    expected = predict(wide, exact).mean
    np.testing.assert_allclose(found.mean, expected, atol=1e-4)  # float32, 12 steps
    np.testing.assert_allclose(fast.mean[..., 0], expected, atol=1e-4)


def test_filter_agrees_with_dynamax():
    inference = pytest.importorskip("dynamax.linear_gaussian_ssm")
    system, y = make()
    params, _ = inference.LinearGaussianSSM(3, 2).initialize(
        initial_mean=system.mean,
        initial_covariance=system.cov,
        dynamics_weights=system.A,
        dynamics_covariance=system.Q,
        emission_weights=system.C,
        emission_covariance=system.R,
    )
    theirs = inference.lgssm_filter(params, y)
    np.testing.assert_allclose(predict(system, y).state, theirs.predicted_means, atol=1e-8)
