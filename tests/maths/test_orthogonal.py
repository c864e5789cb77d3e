"""Random orthogonal matrices: orthogonal, and uniform."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import orthogonal
from feedrun.maths.draws import normals


@partial(jax.jit, static_argnums=(1, 2))
def haar(key, count, dimension):
    return orthogonal.haar(normals(key, orthogonal.shapes(count, dimension)))


@pytest.mark.parametrize("N", [1, 2, 4])
def test_matrices_are_orthogonal_and_turn_as_often_as_they_reflect(N):
    Q = np.asarray(haar(jax.random.key(0), 4000, N))
    np.testing.assert_allclose(
        Q @ Q.transpose(0, 2, 1), np.broadcast_to(np.eye(N), Q.shape), atol=1e-12
    )
    determinant = np.linalg.det(Q)
    assert abs(determinant.mean()) < 4 / 4000**0.5


def test_moments_are_those_of_the_haar_measure():
    N, count = 4, 20_000
    Q = np.asarray(haar(jax.random.key(1), count, N))
    for value, expected in [
        (Q, 0.0),  # every entry
        (Q**2, 1 / N),
        (Q**4, 3 / (N * (N + 2))),  # as of a coordinate of a uniform point on the sphere
        (np.trace(Q, axis1=1, axis2=2) ** 2, 1.0),  # Diaconis and Shahshahani 1994
        (Q[:, 0, 0] * Q[:, 1, 1] * Q[:, 0, 1] * Q[:, 1, 0], -1 / ((N - 1) * N * (N + 2))),
    ]:
        se = value.std(axis=0) / count**0.5
        assert (abs(value.mean(axis=0) - expected) < 4.5 * se).all()  # up to 16 entries


def test_float32_stays_orthogonal():
    with jax.enable_x64(False):
        Q = haar(jax.random.key(2), 100, 4)
    assert Q.dtype == jnp.float32
    np.testing.assert_allclose(
        np.asarray(Q) @ np.asarray(Q).transpose(0, 2, 1),
        np.broadcast_to(np.eye(4), Q.shape),
        atol=1e-5,  # float32
    )
