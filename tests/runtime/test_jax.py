"""The installed jax compiles to what it computes step by step, where some releases did not."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import children


@pytest.mark.parametrize("shape", [(41, 1024, 5), (17, 2048, 3), (513, 64, 8)])
def test_sums_of_products_with_a_broadcast_operand(shape):
    """jaxlib 0.10.2 is wrong past 32,768 sums (jax issue 39103)."""
    rng = np.random.default_rng(0)
    x, w, y = (
        rng.standard_normal(size).astype(np.float32) for size in (shape, shape[1:], shape[:2])
    )
    found = jax.jit(lambda x, w, y: jnp.sum(w[None] * x, axis=-1) + y)(x, w, y)
    np.testing.assert_allclose(found, (w.astype(float) * x).sum(-1) + y, rtol=1e-4, atol=1e-4)


def test_products_of_one_matrix_with_many_rows_then_squared():
    rows = np.zeros((40_000, 3), np.float32)
    rows[:, 0] = np.arange(40_000)
    found = jax.jit(jax.vmap(lambda row: jnp.sum((jnp.eye(3) @ row) ** 2)))(jnp.asarray(rows))
    np.testing.assert_allclose(found, np.arange(40_000.0) ** 2, rtol=1e-6)


def test_whoever_imports_feedrun_before_jax_starts_gets_right_sums():
    program = (
        "import feedrun, jax, jax.numpy as jnp\n"
        "x = jnp.ones((40_000, 3)) * jnp.arange(40_000.0)[:, None]\n"
        "f = jax.jit(lambda w, x: jnp.sum(w[None] * x, axis=-1) + x[:, 0])\n"
        "print(float(f(jnp.ones(3), x)[-1]))"
    )
    found = children.run([sys.executable, "-c", program])
    assert found.stdout == "159996.0\n", found.stderr
