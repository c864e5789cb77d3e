"""Rotary positions and ALiBi as properties of scores."""

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths.attention import softmax_attention
from feedrun.maths.positions import alibi, alibi_slopes, rotary


def test_rotary_products_depend_on_the_difference_of_positions_and_keep_norms():
    q, k = jax.random.normal(jax.random.key(0), (2, 1, 6))

    def product(i, j):
        return (rotary(q, jnp.asarray([i])) @ rotary(k, jnp.asarray([j])).T)[0, 0]

    np.testing.assert_allclose(product(9, 4), product(105, 100), rtol=1e-10)
    assert abs(product(9, 4) - product(9, 5)) > 1e-3
    turned = rotary(q, jnp.asarray([7]))
    np.testing.assert_allclose(jnp.linalg.norm(turned), jnp.linalg.norm(q), rtol=1e-12)


def test_alibi_lowers_scores_by_the_slope_times_the_distance():
    q, k, v = jax.random.normal(jax.random.key(0), (3, 7, 4))
    slope = jnp.asarray(0.3)
    found = softmax_attention(*alibi(q, k, jnp.arange(7), slope), v, causal=True)
    lag = (jnp.arange(7)[:, None] - jnp.arange(7)[None]).astype(q.dtype)
    scores = jnp.where(lag >= 0, q @ k.T / 2.0 - slope * lag, -jnp.inf)
    np.testing.assert_allclose(found, jax.nn.softmax(scores, axis=1) @ v, rtol=1e-10)


def test_slopes_of_eight_heads_are_the_published_ones():
    np.testing.assert_allclose(alibi_slopes(8, jnp.float64), 0.5 ** np.arange(1, 9), rtol=1e-12)


def test_float32_stays_float32():
    x = jnp.ones((3, 4), jnp.float32)
    assert rotary(x, jnp.arange(3)).dtype == jnp.float32
    slope = alibi_slopes(2, jnp.float32)[0]
    assert {z.dtype for z in alibi(x, x, jnp.arange(3), slope)} == {jnp.dtype(jnp.float32)}
