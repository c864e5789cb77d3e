"""Feature maps as products: factored Grams, means, positivity, trees."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import sphere
from feedrun.maths import square_features as square
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import features

D, EPS = 6, 1e-3
SIZES = {"nodes": 2, "prf": 3, "eps": EPS}
MAPS = {
    "slay": partial(features.slay, dimension=D, poly=4, **SIZES),
    "slay_scaled": partial(features.slay, dimension=D, poly=4, scaled=True, **SIZES),
    "laplace": partial(features.laplace_only, dimension=D, **SIZES),
    "hadamard": partial(features.hadamard, dimension=D, **SIZES),
    "square_prf": partial(features.exact_square_exponentials, dimension=D, **SIZES),
    "square": lambda key: features.exact_square(),
    "sketch": partial(
        features.with_square,
        dimension=D,
        draw=lambda key, d, dtype: square.tensor_sketch(key, d, 5, dtype=dtype),
        **SIZES,
    ),
}
SIZE = {"slay": 24, "slay_scaled": 24, "laplace": 6, "hadamard": 6, "square_prf": 126,
        "square": 21, "sketch": 30}  # fmt: skip


def points(*, count=9, dtype=jnp.float64):
    return sphere.uniform(jax.random.key(3), (count, D), dtype=dtype)


def pair(x):
    a, b = points(count=2)
    b = sphere.normalise(b - (a @ b) * a)
    return jnp.stack([a, x * a + (1 - x**2) ** 0.5 * b])


def judged_mean(draw, u, truth, *, repeats=6_000):
    """Mean of independent estimates of one kernel value against the truth."""
    estimate = jax.jit(jax.vmap(lambda key: features.gram(draw(key), u[:1], u[1:])[0, 0]))
    draws = np.asarray(estimate(jax.random.split(jax.random.key(1), repeats)))
    assert abs(draws.mean() - truth) < 4 * draws.std() / repeats**0.5


@pytest.mark.parametrize("name", MAPS)
def test_factored_gram_is_the_gram_of_the_features(name):
    phi, u = MAPS[name](jax.random.key(0)), points()
    expected = phi(u) @ phi(u[:4]).T
    np.testing.assert_allclose(features.gram(phi, u, u[:4]), expected, atol=1e-12)
    assert phi(u).shape == (9, SIZE[name]) and phi.size(D) == SIZE[name]


@pytest.mark.parametrize("name", ["slay", "slay_scaled", "laplace", "hadamard"])
def test_positive_maps_are_nonnegative_and_positive_definite(name):
    u = points(count=60)
    phi = MAPS[name](jax.random.key(0))
    G = features.gram(phi, u, u)
    assert phi(u).min() >= 0 and G.min() > 0
    values = jnp.linalg.eigvalsh(G)
    assert values[0] >= -1e-12 * values[-1]


@pytest.mark.parametrize(
    "x", [*(pytest.param(x, marks=pytest.mark.slow) for x in (-0.5, 0.0)), 0.3]
)
def test_exact_square_times_exponentials_is_unbiased_for_the_quadrature_kernel(x):
    truth = theory.quadrature_kernel(theory.laguerre_nodes(2, EPS), np.array(x))
    if x:
        judged_mean(MAPS["square_prf"], pair(x), truth)
    else:
        phi, u = MAPS["square_prf"](jax.random.key(0)), pair(x)
        np.testing.assert_allclose(features.gram(phi, u[:1], u[1:]), 0, atol=1e-14)


@pytest.mark.parametrize(
    "x", [*(pytest.param(x, marks=pytest.mark.slow) for x in (-0.5, 0.0)), 0.3]
)
def test_published_default_estimates_another_kernel(x):
    """Not K_R(x) but (1 + 2x^2) / (d (d + 2)) times its exponentials: 1 / d of x^2 in the mean."""
    mixture = theory.mixture(theory.laguerre_nodes(2, EPS), np.array(x))
    anchors = (1 + 2 * x**2) / (D * (D + 2))
    judged_mean(MAPS["slay"], pair(x), anchors * mixture)
    judged_mean(MAPS["slay_scaled"], pair(x), (1 + 2 * x**2) * mixture)


def test_laplace_only_estimates_its_own_limit():
    rule = theory.laguerre_nodes(2, EPS)
    truth = (2 + EPS) ** 2 / 4 * theory.mixture(rule, np.array(0.1))
    judged_mean(MAPS["laplace"], pair(0.1), truth)


@pytest.mark.parametrize(
    "how", [{}, {"orthogonal": True}, {"tuned_at": 0.0}, {"orthogonal": True, "tuned_at": 0.0}]
)
def test_node_exponentials_are_unbiased_however_drawn(how):
    rule = theory.laguerre_nodes(2, EPS)

    def draw(key):
        drawn = features.node_exponentials(key, D, rule, (5, 2), **how)
        return features.Product(features.One(), drawn)

    judged_mean(draw, pair(-0.2), theory.mixture(rule, np.array(-0.2)))


def test_variance_of_a_score_is_the_closed_form():
    u, rule = pair(-0.3), theory.laguerre_nodes(2, EPS)
    draw = partial(features.exact_square_exponentials, dimension=D, nodes=2, prf=4, eps=EPS)
    one = jax.jit(jax.vmap(lambda key: features.gram(draw(key), u[:1], u[1:])[0, 0]))
    draws = np.asarray(one(jax.random.split(jax.random.key(1), 15_000)))
    truth = theory.quadrature_kernel(rule, np.array(-0.3))
    spread = (draws / truth - 1) ** 2
    expected = theory.mixture_variance(rule, np.array(-0.3)) / 4
    assert abs(spread.mean() - expected) < 4 * spread.std() / spread.size**0.5


def test_hadamard_features_are_the_published_formula():
    phi, u = features.hadamard(jax.random.key(0), D, nodes=1, prf=3, eps=EPS), points()
    s, w = (float(part[0]) for part in theory.laguerre_nodes(1, EPS))
    omega = phi.prf.exponentials.omega / (2 * s) ** 0.5
    p = u @ omega.T
    expected = p**2 * jnp.exp((2 * s) ** 0.5 * p - s) * w**0.5 / 3
    np.testing.assert_allclose(phi(u), expected, rtol=1e-10)


@pytest.mark.parametrize("name", MAPS)
def test_a_stack_of_maps_is_mapped_over_heads_inside_jit(name):
    keys, u = jax.random.split(jax.random.key(0), 3), points()
    stack = jax.vmap(MAPS[name])(keys)
    together = jax.jit(jax.vmap(features.gram, (0, None, None), axis_size=3))(stack, u, u)
    alone = [features.gram(MAPS[name](key), u, u) for key in keys]
    np.testing.assert_allclose(together, jnp.stack(alone), atol=1e-12)


@pytest.mark.parametrize("name", ["slay", "laplace", "hadamard", "square_prf", "sketch"])
def test_float32_maps_stay_float32(name):
    phi = MAPS[name](jax.random.key(0), dtype=jnp.float32)
    assert {part.dtype for part in jax.tree.leaves(phi)} == {jnp.dtype(jnp.float32)}
    assert phi(points(dtype=jnp.float32)).dtype == jnp.float32
