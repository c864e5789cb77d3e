"""Steady states against the reference table, the long recursion and scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_discrete_are

from feedrun.maths import kalman, riccati
from feedrun.maths.kalman import System

steady = jax.jit(riccati.steady)

TABLE = [
    (0.9, 0.19, 1.0, 0.435890, 0.273211, 1.435890),
    (0.9, 0.19, 0.25, 0.300546, 0.491315, 0.550546),
    (0.95, 0.0975, 1.0, 0.312250, 0.226053, 1.312250),
    (0.99, 0.0199, 1.0, 0.141067, 0.122391, 1.141067),
    (0.5, 0.75, 1.0, 0.866025, 0.232051, 1.866025),
]


def scalar(a, q, r):
    one = jnp.ones((1, 1))
    return System(a * one, one, q * one, r * one, jnp.zeros(1), one)


@pytest.mark.parametrize(("a", "q", "r", "P", "K", "S"), TABLE)
def test_scalar_steady_states_equal_the_table(a, q, r, P, K, S):
    found = steady(scalar(a, q, r))
    row = [found.state_cov[0, 0], found.gain[0, 0], found.cov[0, 0]]
    np.testing.assert_allclose(np.array(row), [P, K, S], atol=1e-6)  # the table has six digits
    closed = riccati.steady_number(*(jnp.asarray(v) for v in (a, q, r)))
    np.testing.assert_allclose(closed, found.state_cov[0, 0], rtol=1e-12)


def random(seed=0, N=5, outputs=2):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((N, N))
    A *= 0.97 / np.abs(np.linalg.eigvals(A)).max()
    roots = rng.standard_normal((N, N)), rng.standard_normal((outputs, outputs))
    Q, R = (root @ root.T + 0.1 * np.eye(len(root)) for root in roots)
    matrices = (A, rng.standard_normal((outputs, N)), Q, R, np.zeros(N), np.eye(N))
    return System(*(jnp.asarray(m) for m in matrices))


def test_matrix_steady_states_equal_scipy_and_the_limit_of_the_filter():
    system = random()
    found = steady(system)
    A, C, Q, R = (np.asarray(m) for m in system[:4])
    truth = solve_discrete_are(A.T, C.T, Q, R)
    np.testing.assert_allclose(found.state_cov, truth, rtol=1e-9)
    late = jax.jit(kalman.predict)(system, jnp.zeros((2000, 2)))
    np.testing.assert_allclose(found.cov, late.cov[-1], rtol=1e-9)


def test_steady_gain_leaves_a_stable_filter():
    system = random(seed=3)
    closed = system.A - steady(system).gain @ system.C
    assert np.abs(np.linalg.eigvals(closed)).max() < 1


def test_float32_stays_float32():
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), random())
    assert steady(single).gain.dtype == jnp.float32
