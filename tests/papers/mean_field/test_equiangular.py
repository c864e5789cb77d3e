"""The equiangular model: scalar ODE, closed forms, rates, and Wendel's probability."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linprog

from feedrun.maths import ode, sphere
from feedrun.papers.mean_field import equiangular
from feedrun.papers.mean_field.clustering import cone, identities

FLOWS = ("sa", "usa", "usa_shifted")


def speed(rho, beta, n, norm):
    """drho/dt in numpy, as section 2.4 prints it."""
    raw = 2 * np.exp(beta * rho) * (1 - rho) * (1 + (n - 1) * rho)
    if norm == "sa":
        return raw / (np.exp(beta) + (n - 1) * np.exp(beta * rho))
    return raw / n * (1 if norm == "usa" else np.exp(-beta))


@pytest.mark.parametrize("norm", FLOWS)
@pytest.mark.parametrize("beta", [0.0, 1.0, 9.0])
def test_scalar_velocity_is_the_printed_formula(norm, beta):
    rho = jnp.linspace(-0.1, 1, 7)
    got = equiangular.velocity(rho, beta, n=8, norm=norm)
    np.testing.assert_allclose(got, speed(np.asarray(rho), beta, 8, norm), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("norm", FLOWS)
@pytest.mark.parametrize("beta, start", [(0.0, 0.0), (1.0, 0.2), (4.0, 0.0), (-0.5, 0.1)])
def test_closed_form_time_equals_quadrature(norm, beta, start):
    expected = quad(lambda r: 1 / speed(r, beta, 32, norm), start, 0.99, epsabs=0, epsrel=1e-12)[0]
    got = equiangular.time_to(0.99, start=start, beta=beta, n=32, norm=norm)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_closed_form_gives_the_reference_table():
    betas = [0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    table = [5.192, 5.270, 5.458, 5.898, 6.954, 9.544, 15.995, 32.233, 73.446, 178.731]
    got = [equiangular.time_to(0.999, start=0.0, beta=b, n=32, norm="sa") for b in betas]
    np.testing.assert_allclose(got, table, atol=1e-3)


def test_ode_at_beta_zero_is_the_logistic_closed_form():
    step = partial(ode.rk4, partial(equiangular.velocity, beta=0.0, n=8, norm="sa"), h=0.01)
    t = 2.0
    expected = (np.exp(2 * t) - 1) / (np.exp(2 * t) + 7)
    np.testing.assert_allclose(ode.end(step, jnp.array(0.0), 200), expected, rtol=1e-8)


def test_two_tokens_at_beta_zero_follow_tanh():
    step = partial(ode.rk4, partial(equiangular.velocity, beta=0.0, n=2, norm="sa"), h=0.005)
    end = ode.end(step, jnp.array(0.3), 400)
    np.testing.assert_allclose(end, np.tanh(2.0 + np.arctanh(0.3)), rtol=1e-10)


@pytest.mark.parametrize("norm", identities.FLOWS)
def test_orthonormal_tokens_follow_the_scalar_ode(norm):
    run = jax.jit(partial(identities.equiangular_error, n=5, norm=norm, steps=80))
    assert run(4.0, 0.025) < 1e-9


@pytest.mark.parametrize("norm", FLOWS)
def test_contraction_rate_is_the_slope_of_the_velocity_at_one(norm):
    f = partial(equiangular.velocity, beta=2.0, n=8, norm=norm)
    expected = -equiangular.contraction_rate(2.0, norm=norm)
    np.testing.assert_allclose(jax.grad(f)(jnp.array(1.0)), expected, rtol=1e-12)


def in_a_hemisphere(x):
    """Is there a w with <x_i, w> >= 1 for all i? (linear programming)"""
    bounds = [(None, None)] * x.shape[1]
    return linprog(np.zeros(x.shape[1]), -x, -np.ones(len(x)), bounds=bounds).status == 0


def test_wendel_probability_equals_the_fraction_found_by_linear_programming():
    draws = np.asarray(sphere.uniform(jax.random.key(0), (400, 5, 3)))
    p = equiangular.wendel_probability(5, 3)
    assert p == 11 / 16
    fraction = np.mean([in_a_hemisphere(x) for x in draws])
    assert abs(fraction - p) < 4 * (p * (1 - p) / len(draws)) ** 0.5


def test_fewer_points_than_dimensions_always_share_a_hemisphere():
    assert equiangular.wendel_probability(3, 5) == 1


def test_hemisphere_start_lies_in_the_hemisphere_and_on_the_sphere():
    w = jnp.array([0.0, 0.6, 0.8])
    x = cone.hemisphere_start(jax.random.key(0), 50, w)
    assert (x @ w > 0).all()
    np.testing.assert_allclose(jnp.linalg.norm(x, axis=1), 1, atol=1e-15)


def test_hemisphere_starts_collapse_at_the_sharp_rate_and_faster_than_the_bound():
    sa, usa = cone.measure(jax.random.key(0), 1.0, 0.05, tokens=6, dimension=3, starts=4, steps=400)
    np.testing.assert_allclose(sa.rate, 2, rtol=0.01)  # the spec's 1%: the window is finite
    np.testing.assert_allclose(usa.rate, 2 * np.e, rtol=0.01)
    assert (sa.slowest > equiangular.cone_rate_bound(1.0, n=6)).all()
    assert max(sa.height_drop.max(), usa.height_drop.max()) < 1e-13
