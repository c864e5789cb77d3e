"""Features of (u . v)^2: exact, unbiased, or of the known other mean."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import sphere
from feedrun.maths import square_features as square

D = 6
DRAWS = {
    "anchors": partial(square.anchors, scaled=False),
    "scaled": partial(square.anchors, scaled=True),
    "debiased": square.debiased_anchors,
    "rademacher": square.random_maclaurin,
    "gaussian": partial(square.random_maclaurin, gaussian=True),
    "sketch": square.tensor_sketch,
    "nystroem": partial(square.nystroem, jitter=1e-3),
}


def pair(*, x=0.4, dtype=jnp.float64):
    """Two unit vectors of cosine x, (2, D), away from the axes."""
    a, b = sphere.uniform(jax.random.key(7), (2, D), dtype=dtype)
    b = sphere.normalise(b - (a @ b) * a)
    return jnp.stack([a, x * a + (1 - x**2) ** 0.5 * b])


def products(draw, u, *, count=5, repeats=8_000):
    """Independent estimates of (u_0 . u_1)^2."""

    def estimate(key):
        first, second = draw(key, D, count)(u)
        return first @ second

    return np.asarray(jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(1), repeats)))


def judged(draws, truth, *, errors=4):
    assert abs(draws.mean() - truth) < errors * draws.std() / draws.size**0.5


def test_symmetric_square_is_exact_and_half_as_long_as_the_outer_product():
    u = jax.random.normal(jax.random.key(0), (9, D))
    phi = square.SymmetricSquare()(u)
    assert phi.shape == (9, D * (D + 1) // 2)
    np.testing.assert_allclose(phi @ phi.T, (u @ u.T) ** 2, rtol=1e-10)


@pytest.mark.parametrize("name", ["debiased", "rademacher", "sketch", "gaussian"])
@pytest.mark.parametrize("x", [0.0, 0.4, -0.8])
def test_unbiased_maps_are_unbiased(name, x):
    judged(products(DRAWS[name], pair(x=x)), x**2)


@pytest.mark.parametrize("x", [0.0, 0.4, 1.0])
def test_anchors_estimate_another_kernel(x):
    judged(products(DRAWS["anchors"], pair(x=x)), (1 + 2 * x**2) / (D * (D + 2)))
    judged(products(DRAWS["scaled"], pair(x=x)), 1 + 2 * x**2)


def test_variance_of_one_anchor_is_the_closed_form():
    draws = products(DRAWS["anchors"], pair(x=0.0), count=1, repeats=100_000)
    expected = 9 * D * (D + 2) / ((D + 4) * (D + 6)) - 1
    spread = (draws / draws.mean() - 1) ** 2
    assert abs(spread.mean() - expected) < 4 * spread.std() / spread.size**0.5


@pytest.mark.parametrize("name", ["anchors", "scaled"])
def test_anchor_features_are_nonnegative(name):
    u = sphere.uniform(jax.random.key(3), (200, D))
    assert DRAWS[name](jax.random.key(0), D, 7)(u).min() >= 0


@pytest.mark.parametrize("name", ["debiased", "rademacher", "sketch"])
def test_signed_maps_give_negative_scores(name):
    u = sphere.uniform(jax.random.key(3), (200, D))
    phi = DRAWS[name](jax.random.key(0), D, 7)(u)
    assert (phi @ phi.T).min() < 0


def test_debiased_anchors_become_exact():
    u = sphere.uniform(jax.random.key(3), (20, D))
    phi = square.debiased_anchors(jax.random.key(0), D, 200_000)(u)
    error = jnp.abs(phi @ phi.T - (u @ u.T) ** 2).max()
    assert error < 5 * 8**0.5 / 200_000**0.5  # five standard errors of a score at x = 1


def test_nystroem_is_exact_when_the_landmarks_span_all_squares():
    u = sphere.uniform(jax.random.key(3), (20, D))
    phi = square.nystroem(jax.random.key(0), D, D * (D + 1) // 2 + 5, jitter=1e-12)(u)
    # The square root of the jitter is what is lost.
    np.testing.assert_allclose(phi @ phi.T, (u @ u.T) ** 2, atol=1e-6)


def test_nystroem_is_a_projection_that_never_exceeds_the_kernel():
    u = sphere.uniform(jax.random.key(3), (50, D))
    phi = square.nystroem(jax.random.key(0), D, 8, jitter=1e-9)(u)
    gap = (u @ u.T) ** 2 - phi @ phi.T
    assert jnp.linalg.eigvalsh(gap).min() > -1e-9


def test_tensor_sketch_is_the_sketch_of_the_outer_product():
    """Coordinates (i, j) fall into bucket h1(i) + h2(j) with sign s1(i) s2(j)."""
    u, count = np.asarray(pair()), 7
    sketch = square.tensor_sketch(jax.random.key(5), D, count)
    first, second = np.asarray(sketch.first), np.asarray(sketch.second)
    expected = np.zeros((2, count))
    for i in range(D):
        for j in range(D):
            a, b = np.flatnonzero(first[i])[0], np.flatnonzero(second[j])[0]
            expected[:, (a + b) % count] += first[i, a] * second[j, b] * u[:, i] * u[:, j]
    np.testing.assert_allclose(sketch(jnp.asarray(u)), expected, atol=1e-12)


@pytest.mark.parametrize("name", DRAWS)
def test_a_stack_of_maps_is_mapped_over_and_jitted(name):
    keys, u = jax.random.split(jax.random.key(0), 3), pair()
    stacked = jax.jit(jax.vmap(lambda k: DRAWS[name](k, D, 4)))(keys)
    together = jax.jit(jax.vmap(lambda phi, u: phi(u), (0, None)))(stacked, u)
    alone = jnp.stack([DRAWS[name](k, D, 4)(u) for k in keys])
    np.testing.assert_allclose(together, alone, atol=1e-10)


@pytest.mark.parametrize("name", DRAWS)
def test_float32_stays_float32(name):
    phi = DRAWS[name](jax.random.key(0), D, 4, dtype=jnp.float32)
    assert phi(pair(dtype=jnp.float32)).dtype == jnp.float32
    assert square.SymmetricSquare()(pair(dtype=jnp.float32)).dtype == jnp.float32


@pytest.mark.parametrize("D", [2, 5, 8])
def test_shifted_square_is_exact_and_without_lags_lacks_their_products(D):
    u, v = sphere.uniform(jax.random.key(0), (2, 7, D))
    for lags in range(D // 2 + 1):
        features = partial(square.shifted_square, scale=0.6, shift=0.3, lags=lags)
        phi_u, phi_v = features(u), features(v)
        expected = (u @ v.T + 0.3) ** 2
        for i, j in zip(*np.triu_indices(D, 1), strict=True):
            if min(j - i, D - j + i) > lags:
                expected -= 2 * jnp.outer(u[:, i] * u[:, j], v[:, i] * v[:, j])
        np.testing.assert_allclose(phi_u @ phi_v.T, 0.6 * expected, rtol=1e-12, atol=1e-14)
        assert square.lags_within(phi_u.shape[1], D) == lags
    assert phi_u.shape[1] == D * (D + 3) // 2


def test_gradient_of_the_shifted_square_is_that_of_its_products():
    u, v = sphere.uniform(jax.random.key(0), (2, 7, 6))

    def loss(phi, u):
        return jnp.sin(5 * phi(u) @ phi(v).T).sum()

    def gathered(u):
        i, j = np.triu_indices(6, 1)
        level = (1 + 6 * 0.3**2) ** 0.5 / 6 - 1 / 6
        return jnp.concatenate([0.6**0.5 * u, u**2 + level, 2**0.5 * u[:, i] * u[:, j]], axis=1)

    ours = partial(square.shifted_square, scale=1.0, shift=0.3, lags=3)
    np.testing.assert_allclose(
        jax.grad(partial(loss, ours))(u), jax.grad(partial(loss, gathered))(u), rtol=1e-11
    )


def test_too_small_a_budget_is_refused():
    with pytest.raises(ValueError, match="needs 16 features or more, got 15"):
        square.lags_within(15, 8)
