"""Spectra of matrices built from known eigenvalues."""

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import spectra


def planted(values, *, dtype=jnp.float64):
    Q = spectra.haar_rotation(jax.random.key(0), len(values), dtype=dtype)
    return (Q * jnp.asarray(values, dtype)[None]) @ Q.T


def test_eigenvalues_descend_and_rebuild_the_matrix():
    A = planted([0.1, 3.0, -2.0, 7.0])
    values, V = spectra.eigh_descending(A)
    np.testing.assert_allclose(values, [7, 3, 0.1, -2], rtol=1e-10)
    np.testing.assert_allclose((V * values) @ V.T, A, atol=1e-12)


def test_small_eigenvalues_survive_a_float32_matrix_library():
    exact = np.logspace(0, -8, 60)
    values, _ = spectra.eigh_descending(planted(exact))
    np.testing.assert_allclose(values, exact, rtol=1e-6)


def test_participation_ratio_counts_equal_weights():
    np.testing.assert_allclose(spectra.participation_ratio(jnp.array([2.0, 2, 2, 0])), 3)
    np.testing.assert_allclose(spectra.participation_ratio(jnp.array([0.0, 5])), 1)


def test_participation_ratio_of_a_matrix_is_that_of_its_eigenvalues():
    values = jnp.array([4.0, 2.0, 1.0, 0.5])
    ours = spectra.matrix_participation_ratio(planted(values))
    np.testing.assert_allclose(ours, spectra.participation_ratio(values), rtol=1e-10)


def test_rotation_is_orthogonal_and_keeps_its_dtype():
    Q = spectra.haar_rotation(jax.random.key(1), 9, dtype=jnp.float32)
    assert Q.dtype == jnp.float32
    np.testing.assert_allclose(Q @ Q.T, jnp.eye(9), atol=2e-6)  # float32
