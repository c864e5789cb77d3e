"""Token fields, energy and order parameter against slow obvious versions and exact identities."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import ode, sphere
from feedrun.papers.mean_field import theory
from feedrun.papers.mean_field.clustering import identities

FLOWS = ("sa", "usa", "usa_shifted")
velocity = jax.jit(theory.velocity, static_argnames="norm")


def make(*, T=9, D=3, dtype=jnp.float64):
    """Random tokens with unequal masses."""
    x_key, mass_key = jax.random.split(jax.random.key(0))
    mass = jax.random.exponential(mass_key, (T,), dtype)
    return sphere.uniform(x_key, (T, D), dtype=dtype), mass / mass.sum()


def written_out(x, alpha, beta, norm, B, V):
    """Section 1.1 token by token."""
    x, alpha, out = np.asarray(x), np.asarray(alpha), []
    for x_i in x:
        w = [a * np.exp(beta * x_i @ B @ y) for a, y in zip(alpha, x, strict=True)]
        pull = sum(w_j * (V @ y) for w_j, y in zip(w, x, strict=True))
        scale = {"sa": 1 / sum(w), "usa": 1.0, "usa_shifted": np.exp(-beta)}[norm]
        out.append(scale * (pull - (x_i @ pull) * x_i))
    return np.array(out)


@pytest.mark.parametrize("norm", FLOWS)
@pytest.mark.parametrize("beta", [0.0, 3.0, -1.0])
def test_velocity_equals_the_written_out_sum(norm, beta):
    x, alpha = make()
    expected = written_out(x, alpha, beta, norm, np.eye(3), np.eye(3))
    np.testing.assert_allclose(
        velocity(x, alpha, beta, norm=norm), expected, rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("norm", FLOWS)
def test_general_matrices_equal_the_written_out_sum(norm):
    x, alpha = make()
    B, V = np.random.default_rng(0).normal(size=(2, 3, 3))
    got = velocity(x, alpha, 2.0, norm=norm, B=jnp.array(B), V=jnp.array(V))
    expected = written_out(x, alpha, 2.0, norm, B, V)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-13)


def test_causal_mask_hides_the_future():
    x, alpha = make()
    mask = jnp.tril(jnp.ones((9, 9), bool))
    whole = velocity(x, alpha, 2.0, norm="sa", mask=mask)
    front = velocity(x[:4], alpha[:4], 2.0, norm="sa", mask=mask[:4, :4])
    np.testing.assert_allclose(whole[:4], front, atol=1e-14)
    np.testing.assert_allclose(whole[0], 0, atol=1e-15)


def test_large_logits_of_a_general_matrix_do_not_overflow():
    x, alpha = make()
    assert jnp.isfinite(velocity(x, alpha, 1e4, norm="sa", B=jnp.eye(3))).all()


def test_unknown_flow_is_refused_by_name():
    with pytest.raises(Exception, match="softmax"):  # jaxtyping's own error, or ValueError
        theory.velocity(*make(), 1.0, norm="softmax")  # type: ignore


@pytest.mark.parametrize("norm", FLOWS)
@pytest.mark.parametrize("block", [1, 4, 9, 20])
def test_blocked_field_equals_dense(norm, block):
    x, alpha = make()
    blocked = theory.blocked_velocity(x, alpha, 4.0, norm=norm, block=block)
    dense = velocity(x, alpha, 4.0, norm=norm)
    np.testing.assert_allclose(blocked, dense, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("norm", ("sa", "usa_shifted"))
@pytest.mark.parametrize("beta, modes", [(0.0, 20), (4.0, 32), (25.0, 50), (-1.0, 26)])
def test_fourier_field_equals_the_pair_sum(norm, beta, modes):
    theta = jax.random.uniform(jax.random.key(0), (40,), maxval=2 * jnp.pi)
    alpha = jnp.full(40, 1 / 40)
    assert identities.fourier_error(theta, alpha, beta, norm=norm, modes=modes) < 1e-14


def test_fields_stay_in_float32():
    x, alpha = make(dtype=jnp.float32)
    theta = jnp.arctan2(x[:, 1], x[:, 0])
    assert theory.velocity(x, alpha, 2.0, norm="sa").dtype == jnp.float32
    assert theory.blocked_velocity(x, alpha, 2.0, norm="sa", block=4).dtype == jnp.float32
    assert theory.fourier_velocity(theta, alpha, 2.0, norm="sa", modes=30).dtype == jnp.float32


@pytest.mark.parametrize("norm", FLOWS)
def test_merged_particles_move_like_one_of_their_summed_mass(norm):
    x, alpha = make()
    split = velocity(jnp.concatenate([x, x[:2]]), _halved(alpha), 4.0, norm=norm)
    whole = velocity(x, alpha, 4.0, norm=norm)
    np.testing.assert_allclose(split[:9], whole, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(split[9:], whole[:2], rtol=1e-12, atol=1e-14)


def _halved(alpha):
    return jnp.concatenate([alpha[:2] / 2, alpha[2:], alpha[:2] / 2])


@pytest.mark.parametrize("norm", FLOWS)
def test_dissipation_is_the_time_derivative_of_the_energy(norm):
    x, alpha = make()
    v = velocity(x, alpha, 2.0, norm=norm)
    rate = jax.jvp(lambda y: theory.energy(y, alpha, 2.0), (x,), (v,))[1]
    np.testing.assert_allclose(theory.dissipation(x, alpha, 2.0, norm=norm), rate, rtol=1e-12)


def test_usa_is_the_gradient_of_the_energy():
    x, _ = make()
    equal = jnp.full(9, 1 / 9)
    gradient = 9 * jax.grad(lambda y: theory.energy(y, equal, 2.0))(x)
    got = velocity(x, equal, 2.0, norm="usa")
    np.testing.assert_allclose(got, sphere.tangent(x, gradient), rtol=1e-10, atol=1e-13)


def test_energy_of_far_clusters_is_the_sum_of_squared_masses():
    x, alpha = jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.array([0.4, 0.6])
    np.testing.assert_allclose(theory.normalised_energy(x, alpha, 30.0), 0.52, rtol=1e-10)


def test_order_parameter_is_the_small_beta_limit_of_the_energy():
    x, alpha = make()
    beta = 1e-5
    excess = theory.energy(x, alpha, beta) - 1 / (2 * beta)
    R = theory.order_parameter(x, alpha)
    np.testing.assert_allclose(excess, R**2 / 2, rtol=1e-4)  # the limit's own error is O(beta)


@pytest.mark.parametrize("norm", identities.FLOWS)
def test_energy_never_falls_and_balances_along_the_flow(norm):
    run = jax.jit(partial(identities.conservation, norm=norm, steps=200))
    seen = run(*make(), 4.0, 0.01)
    assert seen.norm_error < 1e-14 and seen.energy_drop < 1e-13 and seen.balance_error < 1e-8


@pytest.mark.parametrize("norm", FLOWS)
def test_rotations_and_relabellings_commute_with_the_flow(norm):
    turn_key, order_key = jax.random.split(jax.random.key(1))
    turn, order = sphere.rotation(turn_key, 3), jax.random.permutation(order_key, 9)
    error = identities.equivariance_error(turn, order, *make(), 2.0, 0.01, norm=norm, steps=20)
    assert error < 1e-12


def test_shifted_usa_is_usa_slowed_down():
    assert identities.time_change_error(*make(), 4.0, 0.02, steps=50) < 1e-12


def test_repulsive_values_lower_the_energy():
    assert identities.energy_change(*make(), 4.0, 0.02, steps=20, V=-jnp.eye(3))[1] < 0


def test_antipodal_clusters_do_not_move():
    assert identities.antipodal_speed(jnp.array([0.6, 0.0, 0.8]), 4.0) < 1e-14


@pytest.mark.parametrize("method, expected", [(ode.euler, 1.0), (ode.rk4, 4.0)])
def test_projected_integrators_keep_their_order(method, expected):
    x, alpha = make(T=6, D=6)
    measured = jax.jit(partial(identities.order, norm="sa", method=method, steps=20))
    assert abs(measured(x, alpha, 4.0, 0.05) - expected) < 0.1
