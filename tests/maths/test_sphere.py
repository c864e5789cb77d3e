"""Points and distances on the sphere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import sphere


def make(*, T=7, D=4, dtype=jnp.float64):
    x_key, v_key = jax.random.split(jax.random.key(0))
    x = sphere.uniform(x_key, (T, D), dtype=dtype)
    return x, sphere.tangent(x, jax.random.normal(v_key, (T, D), dtype))


def test_uniform_points_have_unit_norm_and_isotropic_second_moment():
    x = sphere.uniform(jax.random.key(1), (20_000, 3))
    np.testing.assert_allclose(jnp.linalg.norm(x, axis=1), 1, atol=1e-15)
    second = x[:, :, None] * x[:, None]
    se = second.std(axis=0) / len(x) ** 0.5
    assert (jnp.abs(second.mean(axis=0) - jnp.eye(3) / 3) < 4 * se).all()


def test_tangent_is_an_orthogonal_projection():
    x, v = make()
    np.testing.assert_allclose(jnp.sum(x * v, axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(sphere.tangent(x, v), v, atol=1e-15)
    np.testing.assert_allclose(sphere.tangent(x, x), 0, atol=1e-15)


def test_rotation_is_orthogonal_and_keeps_orientation():
    turn = sphere.rotation(jax.random.key(0), 4)
    np.testing.assert_allclose(turn @ turn.T, jnp.eye(4), atol=1e-14)
    np.testing.assert_allclose(jnp.linalg.det(turn), 1, rtol=1e-12)


def test_exponential_walks_the_geodesic_distance():
    x, v = make()
    v = 0.3 * v
    end = sphere.exponential(x, v)
    np.testing.assert_allclose(jnp.linalg.norm(end, axis=1), 1, atol=1e-15)
    walked = jnp.diag(sphere.angles(x, end))
    np.testing.assert_allclose(walked, jnp.linalg.norm(v, axis=1), rtol=1e-10)


def test_exponential_of_zero_stays():
    x, _ = make()
    np.testing.assert_array_equal(sphere.exponential(x, jnp.zeros_like(x)), x)


def test_squared_distances_keep_digits_that_inner_products_lose():
    x = sphere.from_angle(jnp.array([0.0, 1e-10]))
    np.testing.assert_allclose(sphere.squared_distances(x, x)[0, 1], 1e-20, rtol=1e-10)


def test_angle_of_antipodes_is_pi():
    x = sphere.from_angle(jnp.array([0.0, jnp.pi]))
    np.testing.assert_allclose(sphere.angles(x, x), jnp.pi * (1 - jnp.eye(2)), atol=1e-7)


@pytest.mark.parametrize("f", [sphere.tangent, sphere.exponential])
def test_float32_stays_float32(f):
    assert f(*make(dtype=jnp.float32)).dtype == jnp.float32
