"""Ridge regression against the normal equations written out, and least squares in its limit."""

import numpy as np
import pytest

from feedrun.maths import ridge

N, D, K = 60, 5, 3


def make(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, D)) * np.array([1, 10, 0.1, 3, 1]) + 4
    y = x @ rng.standard_normal((D, K)) + rng.standard_normal((N, K))
    return x, y


def test_fit_minimises_the_penalised_error_of_standardised_columns():
    x, y = make()
    for penalty, fit in zip((0.01, 2.0), ridge.path(x, y, (0.01, 2.0)), strict=True):
        z = (x - x.mean(0)) / x.std(0)
        slopes = np.linalg.solve(z.T @ z + N * penalty * np.eye(D), z.T @ (y - y.mean(0)))
        np.testing.assert_allclose(ridge.predict(fit, x), y.mean(0) + z @ slopes, rtol=1e-10)


def test_least_penalty_is_least_squares():
    x, y = make()
    (fit,) = ridge.path(x, y, [1e-13])
    design = np.concatenate([x, np.ones((N, 1))], axis=1)
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(ridge.predict(fit, x), expected, rtol=1e-8)


def test_columns_that_never_move_or_repeat_change_nothing_that_is_predicted():
    x, y = make()
    more = np.concatenate([x, np.full((N, 1), 7.0)], axis=1)
    for one, two in zip(ridge.path(x, y, [0.1]), ridge.path(more, y, [0.1]), strict=True):
        np.testing.assert_allclose(ridge.predict(one, x), ridge.predict(two, more), rtol=1e-10)
    (twice,) = ridge.path(np.concatenate([x, x], axis=1), y, [0.2])
    (once,) = ridge.path(x, y, [0.1])
    doubled = np.concatenate([x, x], axis=1)
    np.testing.assert_allclose(ridge.predict(twice, doubled), ridge.predict(once, x), rtol=1e-9)


def test_every_column_gets_the_penalty_that_is_best_for_it():
    x, y = make()
    y[:, 1] = np.random.default_rng(1).standard_normal(N)  # noise: the largest penalty
    x_held, y_held = make(1)
    y_held = y_held * [1, 0, 1]
    penalties = [1e-4, 1e-2, 1.0, 100.0]
    fit = ridge.chosen(x, y, x_held, y_held, penalties)
    errors = [
        ((y_held - ridge.predict(one, x_held)) ** 2).mean(0) for one in ridge.path(x, y, penalties)
    ]
    best = np.argmin(errors, axis=0)
    assert best[1] == 3
    np.testing.assert_array_equal(fit.penalties, np.asarray(penalties)[best])
    found = ((y_held - ridge.predict(fit, x_held)) ** 2).mean(0)
    np.testing.assert_allclose(found, np.min(errors, axis=0), rtol=1e-12)


def test_a_penalty_of_nothing_is_one_clear_error():
    with pytest.raises(ValueError, match=r"positive, got \[0.1, 0.0\]"):
        ridge.path(*make(), [0.1, 0.0])
