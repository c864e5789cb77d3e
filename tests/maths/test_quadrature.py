"""Quadratures for the Laplace integral of 1/y."""

from math import factorial

import numpy as np
import pytest

from feedrun.maths import quadrature


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 30])
def test_gauss_laguerre_is_the_spectrum_of_the_recurrence_matrix(count):
    """Golub and Welsch: diagonal 1, 3, 5, ..., off-diagonal 1, 2, 3, ..."""
    T = np.diag(2.0 * np.arange(count) + 1)
    T += np.diag(np.arange(1.0, count), 1) + np.diag(np.arange(1.0, count), -1)
    values, vectors = np.linalg.eigh(T)
    rule = quadrature.gauss_laguerre(count)
    np.testing.assert_allclose(rule.nodes, values, rtol=1e-10)
    # An eigenvector's small first component has an absolute error of rounding: so atol.
    np.testing.assert_allclose(rule.weights, vectors[0] ** 2, rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_gauss_laguerre_is_exact_up_to_degree_twice_its_nodes_less_one(count):
    nodes, weights = quadrature.gauss_laguerre(count)
    for degree in range(2 * count):
        np.testing.assert_allclose(weights @ nodes**degree, factorial(degree), rtol=1e-10)
    assert weights @ nodes ** (2 * count) < factorial(2 * count) * (1 - 1e-6)


def test_log_trapezoid_converges_to_the_reciprocal():
    rule = quadrature.log_trapezoid(np.log(1e-16), 0.2, 290)
    assert quadrature.reciprocal_error(rule, 0.01, 10.0) < 1e-12


def test_reciprocal_sum_improves_with_every_node_and_beats_its_neighbours():
    errors = [
        quadrature.reciprocal_error(quadrature.reciprocal_sum(count, 1e-3, 4.0), 1e-3, 4.0)
        for count in (6, 8, 10)
    ]
    assert errors[0] > errors[1] > errors[2]
    rule = quadrature.reciprocal_sum(8, 1e-3, 4.0)
    first, step = np.log(rule.nodes[0]), np.log(rule.nodes[1] / rule.nodes[0])
    for moved in ((first + 0.05, step), (first - 0.05, step), (first, step * 1.01)):
        other = quadrature.log_trapezoid(*moved, 8)
        assert quadrature.reciprocal_error(other, 1e-3, 4.0) > errors[1]


def test_reciprocal_error_of_one_exponential_is_known():
    rule = quadrature.Rule(np.array([1.0]), np.array([1.0]))
    np.testing.assert_allclose(quadrature.reciprocal_error(rule, 1.0, 4.0), 1 - 4 * np.exp(-4.0))
