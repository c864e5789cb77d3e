"""The theory's layer against its formula and against the gradient step it can express."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.models.linear_self_attention import linear_self_attention


def test_output_equals_the_matrix_formula():
    model = linear_self_attention(3)
    tokens = jax.random.normal(jax.random.key(1), (6, 3))
    params = jax.tree.map(lambda p: p.astype(float), model.init(jax.random.key(0)))
    P, Q = (np.asarray(params["params"][n]) for n in "PQ")
    H, M = np.asarray(tokens).T, np.diag([1.0] * 5 + [0])
    expected = H + P @ H @ M @ (H.T @ Q @ H) / 5
    np.testing.assert_allclose(model.apply(params, tokens), expected.T, rtol=1e-10)


def test_one_step_of_gradient_descent_is_among_its_functions():
    gamma, (x, w) = 0.7, (jax.random.normal(jax.random.key(i), (9, 4)) for i in (0, 1))
    y = x @ w[0]
    tokens = jnp.concatenate([x, y.at[-1].set(0)[:, None]], axis=1)
    P, Q = jnp.zeros((5, 5)).at[4, 4].set(gamma), jnp.diag(jnp.ones(5).at[4].set(0))
    out = linear_self_attention(5).apply({"params": {"P": P, "Q": Q}}, tokens)

    def loss(w):
        return ((y[:-1] - x[:-1] @ w) ** 2).sum() / 2 / 8

    step = -gamma * jax.grad(loss)(jnp.zeros(4))
    np.testing.assert_allclose(out[-1, -1], x[-1] @ step, rtol=1e-10)


def test_a_query_alone_is_refused():
    model = linear_self_attention(3)
    with pytest.raises(ValueError, match="a context of one token or more and a query, got 1"):
        model.apply(model.init(jax.random.key(0)), jnp.zeros((1, 3), jnp.float32))
