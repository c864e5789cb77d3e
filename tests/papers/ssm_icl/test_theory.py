"""Closed forms against simulation, dense algebra and the reference tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.papers.ssm_icl import theory
from feedrun.papers.ssm_icl.families import catalogue, linear_gaussian, scores
from feedrun.papers.ssm_icl.families import evaluation as ev
from feedrun.papers.ssm_icl.oracles import exact, regression

D, NOISE, PRIOR = 5, 0.25, 0.2


def test_ols_and_one_step_risks_are_those_simulated_whatever_rho():
    run = jax.jit(
        lambda key, rho: ev.evaluate(catalogue.coloured(rho=rho), key, count=8000, length=13)
    )
    for rho in (0.0, 0.9):
        one = ev.evaluation(run(jax.random.key(0), rho))
        for name, formula in [
            ("ols", theory.ols_risk(jnp.array([12.0]), d=D, noise=NOISE)),
            ("lsa", theory.one_step_risk(jnp.array([12.0]), d=D, noise=NOISE, prior=PRIOR)),
        ]:
            assert abs(scores.z_score(one.losses[name][:, 12] - float(formula[0]))) < 4


def test_golden_risks_of_the_closed_forms():
    n = jnp.array([10.0, 40.0, 80.0])
    np.testing.assert_allclose(
        theory.ols_risk(n, d=D, noise=NOISE), [0.5625, 0.2868, 0.2669], atol=5e-5
    )  # the table has four digits
    np.testing.assert_allclose(
        theory.one_step_risk(n, d=D, noise=NOISE, prior=PRIOR), [0.6703, 0.4034, 0.3331], atol=5e-5
    )
    assert np.isinf(theory.ols_risk(jnp.array([6.0]), d=D, noise=NOISE)[0])
    assert theory.separation(0.9) == pytest.approx(5.263, abs=5e-4)


@pytest.mark.parametrize(
    ("phi", "rho", "expected"),
    [
        (0.0, 0.5, 1.667),
        (0.0, 0.9, 9.526),
        (0.5, 0.9, 12.63),
        (0.9, 0.9, 9.526),
        (-0.5, 0.9, 5.410),
    ],
)
def test_efficiency_equals_the_table(phi, rho, expected):
    assert theory.efficiency(phi, rho) == pytest.approx(expected, rel=4e-4)


def test_gls_variances_are_those_of_the_estimators():
    x = np.random.default_rng(0).standard_normal(6)
    ols, gls = theory.gls_variances(jnp.asarray(x), 0.7)
    Sigma = 0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    weights = x / (x @ x)
    best = np.linalg.solve(Sigma, x) / (x @ np.linalg.solve(Sigma, x))
    np.testing.assert_allclose(ols, weights @ Sigma @ weights, rtol=1e-12)
    np.testing.assert_allclose(gls, best @ Sigma @ best, rtol=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.9])
def test_gap_identity_holds_for_every_design(rho):
    X = jax.random.normal(jax.random.key(1), (50, 12, D))
    gap = jax.jit(jax.vmap(lambda X: theory.dense_gap(X, rho, noise=NOISE, prior=PRIOR)))(X)
    np.testing.assert_allclose(gap.proper - gap.bayes, gap.identity, atol=1e-12)
    assert (gap.proper >= gap.bayes - 1e-12).all()


def test_proper_risks_do_not_depend_on_rho_on_average_and_ridge_is_best_at_rho_zero():
    found = regression.invariance(jax.random.key(2), designs=400, n=15)
    assert found["rho_invariance_z"] < 3.5
    X = jax.random.normal(jax.random.key(3), (30, 15, D))
    white = jax.vmap(lambda X: theory.proper_risks(X, 0.0, noise=NOISE, prior=PRIOR))(X)
    dense = jax.vmap(lambda X: theory.dense_gap(X, 0.0, noise=NOISE, prior=PRIOR))(X)
    np.testing.assert_allclose(white.ridge, dense.bayes, rtol=1e-10)


def test_autocovariances_are_those_of_trajectories():
    tasks = linear_gaussian.lg4(jax.random.key(4), 1)
    many = jax.tree.map(lambda leaf: jnp.repeat(leaf, 20_000, axis=0), tasks)
    _, y = linear_gaussian.trajectories(jax.random.key(5), many, length=5)
    gamma = theory.autocovariances(tasks, lags=3)[:, 0]
    for lag in range(4):
        product = np.asarray(y[:, 1, 0] * y[:, 1 + lag, 0])
        assert abs(product.mean() - gamma[lag]) < 4 * product.std() / 20_000**0.5


def test_riccati_and_order_blind_tables_are_met():
    assert exact.riccati_error() < 1e-6
    assert exact.order_blind_error() < 1e-3  # three digits


def test_hand_built_cell_is_the_steady_filter_in_float32():
    assert float(exact.cell_error(jax.random.key(6))["cell_error"]) < 1e-6


def test_cell_of_the_reference_example():
    cell = theory.filter_cell(0.9, 0.273210993727)
    assert float(cell.delta) == pytest.approx(0.467145308, abs=1e-9)
    assert float(cell.B) == pytest.approx(0.584852270, abs=1e-9)


def test_a_leak_is_found_and_noise_is_not():
    noise = np.random.default_rng(1).standard_normal((2, 4000, 8)) ** 2
    fair = scores.floor(noise[0], noise[1])
    leak = scores.floor(noise[0] - 0.2, noise[1])
    assert abs(fair.average) < 4 and leak.average < -5
    assert scores.floor(noise[0], noise[0]) == (0.0, 0.0)


def test_orthogonality_is_negative_for_a_predictor_that_knows_more():
    rng = np.random.default_rng(2)
    m, hint, rest = rng.standard_normal((3, 4000, 6, 1))
    y = m + hint + rest
    assert scores.orthogonality(y, m, m + hint) < -10
    assert abs(scores.orthogonality(y, m, 0.5 * m)) < 4
