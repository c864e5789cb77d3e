"""Least squares at every position against numpy's on the rows before it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import least_squares as ls

T, D, B = 14, 4, 3


def make(dtype=jnp.float64):
    x_key, y_key = jax.random.split(jax.random.key(0))
    return jax.random.normal(x_key, (T, D, B), dtype), jax.random.normal(y_key, (T, B), dtype)


def expected(solution):
    """x_t . solution(X, Y) of the rows before t, sequence by sequence."""
    x, y = (np.asarray(v) for v in make())
    return np.array(
        [[x[t, :, b] @ solution(x[:t, :, b], y[:t, b]) for b in range(B)] for t in range(T)]
    )


@pytest.mark.parametrize("forgetting", [1.0, 0.8])
def test_ridge_is_the_normal_equations_solved_at_every_position(forgetting):
    def solution(X, Y):
        w = forgetting ** np.arange(len(Y))[::-1]
        return np.linalg.solve((X.T * w) @ X + 0.7 * np.eye(D), (X.T * w) @ Y)

    run = jax.jit(lambda x, y: ls.predictions(x, y, ls.ridge(0.7), forgetting=forgetting))
    np.testing.assert_allclose(run(*make()), expected(solution), atol=1e-12)


def test_minimum_norm_is_the_pseudoinverse_also_where_rows_are_few():
    found = jax.jit(ls.minimum_norm_predictions)(*make())
    np.testing.assert_allclose(found, expected(lambda X, Y: np.linalg.pinv(X) @ Y), atol=1e-8)


def test_minimum_norm_takes_a_repeated_and_a_zero_row_for_nothing_new():
    x, y = make()
    x = x.at[2].set(2 * x[1]).at[3].set(0)
    found = np.asarray(jax.jit(ls.minimum_norm_predictions)(x, y))
    for t in range(T):
        for b in range(B):
            w = np.linalg.pinv(x[:t, :, b]) @ y[:t, b]
            np.testing.assert_allclose(found[t, b], x[t, :, b] @ w, atol=1e-8)


def test_many_steps_of_gradient_descent_are_ridge():
    descent = ls.gradient_descent(3000, 1.5, penalty=0.7)
    found = jax.jit(lambda x, y: ls.predictions(x, y, descent))(*make())
    ridge = jax.jit(lambda x, y: ls.predictions(x, y, ls.ridge(0.7)))(*make())
    np.testing.assert_allclose(found, ridge, atol=1e-8)  # 3000 steps at the least eigenvalue


def test_one_step_of_gradient_descent_is_the_cross_moment_scaled():
    found = jax.jit(lambda x, y: ls.predictions(x, y, ls.gradient_descent(1, 1.0, penalty=0.5)))(
        *make()
    )
    one = expected(lambda X, Y: X.T @ Y / (np.sum(X**2) + D * 0.5))
    np.testing.assert_allclose(found, one, atol=1e-12)


def test_solve_inverts_positive_definite_matrices():
    root = jax.random.normal(jax.random.key(1), (D, D, B))
    A = jnp.einsum("ikb,jkb->ijb", root, root) + 0.1 * jnp.eye(D)[..., None]
    b = jax.random.normal(jax.random.key(2), (D, B))
    found = jax.jit(ls.solve)(A, b)
    np.testing.assert_allclose(jnp.einsum("ijb,jb->ib", A, found), b, atol=1e-10)


def test_ridge_without_penalty_is_refused():
    with pytest.raises(ValueError, match="penalty must be positive, got 0"):
        ls.ridge(0.0)


def test_float32_stays_float32():
    x, y = make(jnp.float32)
    assert jax.jit(lambda x, y: ls.predictions(x, y, ls.ridge(0.5)))(x, y).dtype == jnp.float32
    assert jax.jit(ls.minimum_norm_predictions)(x, y).dtype == jnp.float32
