"""Alignment metrics: their ideal values and what a random basis gives."""

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import commutation, spectra

P = 300


def spectrum(decades):
    return jnp.logspace(0, -decades, P)


def rotated(key):
    """A matrix of twelve decades of eigenvalues in a uniformly random basis."""
    Q = spectra.haar_rotation(key, P, dtype=jnp.float64)
    return (Q * spectrum(12)[None]) @ Q.T


def test_commuting_matrices_reach_the_ideal_values():
    lam = spectrum(4)
    K = jnp.diag(lam**2)
    assert commutation.relative_commutator(K, lam) == 0
    assert commutation.diagonal_energy(K) == 1
    assert commutation.mean_coherence(K) == 0


def test_commutator_equals_that_of_the_matrices():
    lam, V = spectrum(4), spectra.haar_rotation(jax.random.key(4), P, dtype=jnp.float64)
    A, B = rotated(jax.random.key(5)), (V * lam[None]) @ V.T
    fro, bracket = jnp.linalg.norm, jnp.linalg.norm(A @ B - B @ A)
    K = V.T @ A @ V
    ours = commutation.relative_commutator(K, lam)
    np.testing.assert_allclose(ours, bracket / fro(A @ B), rtol=1e-10)


def test_random_bases_give_the_baseline_formulas():
    """10% is the accuracy of the formulas at PR << P, not of the sampling."""
    K = jax.vmap(rotated)(jax.random.split(jax.random.key(0), 8))
    PR = spectra.participation_ratio(spectrum(12))
    energy = jax.vmap(commutation.diagonal_energy)(K).mean()
    np.testing.assert_allclose(energy, (PR + 2) / (P + 2), rtol=0.1)
    coherence = jax.vmap(commutation.mean_coherence)(K).mean()
    np.testing.assert_allclose(coherence, commutation.random_coherence(PR), rtol=0.1)


def test_few_samples_set_a_floor_under_the_coherence():
    """An identity covariance estimated from M samples shows mean |R| = sqrt(2 / (pi M))."""
    M = 200
    x = jax.random.normal(jax.random.key(1), (M, P))
    floor = (2 / (np.pi * M)) ** 0.5
    np.testing.assert_allclose(commutation.mean_coherence(x.T @ x), floor, rtol=0.03)


def test_directions_without_energy_are_left_out_of_the_coherence():
    K = rotated(jax.random.key(2))
    padded = jnp.zeros((P + 5, P + 5)).at[:P, :P].set(K)
    ours = commutation.mean_coherence(padded)
    np.testing.assert_allclose(ours, commutation.mean_coherence(K), rtol=1e-10)


def test_float32_stays_float32():
    K, lam = jnp.eye(4, dtype=jnp.float32), jnp.ones(4, jnp.float32)
    metrics = commutation.relative_commutator(K, lam), commutation.mean_coherence(K)
    assert {m.dtype for m in metrics} == {jnp.dtype(jnp.float32)}
