"""Best linear predictors of a stationary series against solving the normal equations."""

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import autoregression

levinson_durbin = jax.jit(autoregression.levinson_durbin)


def test_levinson_durbin_solves_the_yule_walker_equations():
    lags, decay = np.arange(6)[:, None], np.array([[0.9, 0.5, -0.7]])
    gamma = decay**lags + 0.3 * (lags == 0)
    found = levinson_durbin(jnp.asarray(gamma))
    for b in range(3):
        for p in range(6):
            toeplitz = gamma[np.abs(np.subtract.outer(np.arange(p), np.arange(p))), b]
            cross = gamma[1 : p + 1, b]
            expected = gamma[0, b] - cross @ np.linalg.solve(toeplitz.reshape(p, p), cross)
            np.testing.assert_allclose(found[p, b], expected, rtol=1e-12)


def test_an_autoregression_needs_no_more_than_its_order():
    gamma = 0.8 ** jnp.arange(5.0)[:, None]
    np.testing.assert_allclose(levinson_durbin(gamma)[1:], 0.36, rtol=1e-12)


def test_float32_stays_float32():
    gamma = (0.8 ** jnp.arange(4.0)[:, None]).astype(jnp.float32)
    assert levinson_durbin(gamma).dtype == jnp.float32
