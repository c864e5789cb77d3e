"""What slay_kernel measures with, each against a slow or closed form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import stats
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import mechanisms
from feedrun.papers.slay.kernel import (
    ablation,
    fidelity,
    identities,
    needle,
    node_budgets,
    sampling,
    selectivity,
    signs,
)

pytestmark = pytest.mark.slow  # what it compiles takes a minute where nothing is cached

SIZES = mechanisms.Sizes(nodes=2, prf=3, poly=4, eps=1e-2, features=6, chunk=4)


@pytest.mark.parametrize("design", [identities.icosahedron(), identities.e8_roots()])
def test_designs_have_the_moments_of_the_sphere_to_degree_four(design):
    d = design.shape[1]
    np.testing.assert_allclose(np.linalg.norm(design, axis=1), 1, rtol=1e-12)
    second = design.T @ design / len(design)
    np.testing.assert_allclose(second, np.eye(d) / d, atol=1e-14)
    fourth = np.einsum("ni,nj,nk,nl->ijkl", *[design] * 4) / len(design)
    eye = np.eye(d)
    pairs = sum(np.einsum(f"{a},{b}->ijkl", eye, eye)
                for a, b in (("ij", "kl"), ("ik", "jl"), ("il", "jk")))  # fmt: skip
    np.testing.assert_allclose(fourth, pairs / (d * (d + 2)), atol=1e-14)


def test_least_eigenvalue_of_a_matrix_of_known_spectrum():
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    found = identities.least_eigenvalue(Q @ np.diag([-1.0, 2.0, 4.0]) @ Q.T)
    np.testing.assert_allclose(found, -0.25, rtol=1e-12)


def test_shortfall_with_one_node_is_its_formula():
    x, C = np.array([-1.0, 0.0, 0.5, 1.0]), 2.1
    expected = 1 - (C - 2 * x) / C * np.exp(2 * x / C)
    np.testing.assert_allclose(
        identities.shortfall(1, x, 0.1), np.where(x == 0, 0, expected), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("d", [3, 5, 64])
def test_average_over_random_keys_is_the_moment(d):
    np.testing.assert_allclose(needle.average(lambda x: x**2, d), 1 / d, rtol=1e-9)
    np.testing.assert_allclose(needle.average(np.ones_like, d), 1, rtol=1e-9)


def test_needle_mass_equals_the_mean_of_sampled_keys():
    d, others = 8, 400_000
    u = np.random.default_rng(0).standard_normal((others, d))
    x = u[:, 0] / np.linalg.norm(u, axis=1)
    weigh = needle.kernels(0.1, d)["yat"]
    own, rest = weigh(0.9), weigh(x)
    se = rest.std() / others**0.5
    found = needle.mass(weigh, np.array([0.9]), dimension=d, others=100)[0]
    average = own * (1 / found - 1) / 100
    assert abs(rest.mean() - average) < 4 * se


def test_features_moments_are_the_closed_forms():
    found = sampling.positive_features(jax.random.key(0), draws=400_000, block=50_000)
    assert found["prf_deviation"] < 4
    assert found["prf_variance_error"] < 4 * (1.8e5 / 400_000) ** 0.5


def test_plain_qr_is_biased_and_haar_is_not():
    found = sampling.orthogonal(jax.random.key(0), [4], draws=[80_000], parts=5)
    assert found["orthogonal_deviation"] < 4
    assert stats.mean_interval(np.array(found["plain_qr_bias"]))[1] < 0
    assert np.mean(found["orthogonal_ratio_4"]) < 1


def test_monte_carlo_slope_of_light_tails_is_a_half():
    key = jax.random.key(0)
    slopes = sampling.monte_carlo_rate(key, counts=(64, 256), block=500, blocks=4)
    se = np.std(slopes, ddof=1) / 2
    assert abs(np.mean(slopes) + 0.5) < 4 * se


@partial(jax.jit, static_argnames="c")
def correlated(c):
    keys = jax.random.split(jax.random.key(0), 3)
    return fidelity.draw(keys, jnp.array([0.0, c]), heads=2, tokens=500, dimension=6)


def test_data_have_unit_variance_and_the_correlations_they_were_asked_for():
    data = jax.tree.map(np.asarray, correlated(0.8))
    se = 4 * (500 * 36 / 10) ** -0.5  # ten steps forget almost all
    for rows in data:
        np.testing.assert_allclose(rows.var(axis=(1, 2, 3, 4)), 1, atol=2 * se)
    for n, c in enumerate((0, 0.8)):
        k, q = data.k[n], data.q[n]
        np.testing.assert_allclose(np.mean(k[:, :, 1:] * k[:, :, :-1]), c, atol=se)
        np.testing.assert_allclose(np.mean(k[:, :, 2:] * k[:, :, :-2]), c**2, atol=se)
        np.testing.assert_allclose(np.mean(q * k), c, atol=se)


def test_both_kinds_of_data_share_their_values():
    data = correlated(0.8)
    np.testing.assert_array_equal(data.v[0], data.v[1])


def test_compare_is_relative_error_and_cosine_of_each_seed():
    truth = np.array([[[3.0, 4.0], [1.0, 0.0]]])
    out = np.array([[[3.0, 0.0], [-2.0, 0.0]]])
    error, cosine = fidelity.compare(out, truth)
    np.testing.assert_allclose(error, [[0.8, 3]])
    np.testing.assert_allclose(cosine, [[0.6, -1]])


def make(T=9, D=4):
    return [jax.random.normal(key, (T, D)) for key in jax.random.split(jax.random.key(2), 3)]


@pytest.mark.parametrize("name", fidelity.LIMITS)
def test_limits_are_kernel_attention_of_their_formula(name):
    q, k, v = make()
    x = np.asarray(mechanisms.unit(q) @ mechanisms.unit(k).T)
    C = 2 + SIZES.eps
    kernel = {
        "anchor_limit": lambda: (1 + 2 * x**2) / (C - 2 * x),
        "laplace_limit": lambda: C**2 / 4 / (C - 2 * x),
        "cubic": lambda: x**2 + 2 * x**3 / C,
        "spherical_softmax": lambda: np.exp(x),
    }.get(name, lambda: identities.quadrature(int(name[-1]), x, SIZES.eps))()
    expected = theory.kernel_attention(jnp.asarray(kernel), v, causal=True, delta=mechanisms.DELTA)
    found = fidelity.attention(name, jax.random.key(0), SIZES, q, k, v)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_all_scores_at_once_are_the_linear_form():
    key, (q, k, v) = jax.random.key(0), make()
    by_features = fidelity.attention("square_prf", jax.random.clone(key), SIZES, q, k, v)
    by_scores = node_budgets.by_scores("square_prf", key, SIZES, q, k, v)
    np.testing.assert_allclose(by_scores, by_features, rtol=1e-10)


def test_outputs_are_the_same_head_by_head():
    keys = jax.random.split(jax.random.key(0), 2)
    data = fidelity.draw(keys, jnp.array([0.5]), heads=2, tokens=7, dimension=4)
    out = fidelity.outputs(jax.random.key(1), data, name="square", sizes=SIZES)
    for seed, head in np.ndindex(2, 2):
        q, k, v = (x[0, seed, head] for x in data)
        expected = fidelity.attention("square", jax.random.key(0), SIZES, q, k, v)
        np.testing.assert_allclose(out[0, seed, head], expected, rtol=1e-10)


def test_node_differences_are_taken_at_what_was_measured():
    found = np.full((2, 1, 2, 3), 0.5)  # R = 1 and 2, R D = 16
    found[1] += 0.1
    square = np.full((2, 3), 0.22)
    numbers = node_budgets.differences(found, square, [1, 2], [16])
    np.testing.assert_allclose(numbers["best_of_more_nodes"], 0.1)
    np.testing.assert_allclose(numbers["nodes_gaussian_difference"], [0.6 - 0.419] * 3)
    np.testing.assert_allclose(numbers["one_node_difference"], [0.5 - 0.354] * 3)
    assert "exponentials_32_less_square" not in numbers


def test_the_furthest_mean_carries_its_interval():
    near, far = np.array([1.0, 1.1, 0.9]), np.array([2.0, 2.1, 1.9])
    half = stats.mean_interval(far)[1] - 2
    found = node_budgets.furthest([(near, 1.0), (far, 1.5)])
    np.testing.assert_allclose(found, (0.5, 0.5 - half, 0.5 + half))
    assert node_budgets.furthest([(near, 1.0)]).low == 0


def test_layer_is_its_heads_written_out():
    layer = ablation.start(jax.random.key(0), 8)
    x = jax.random.normal(jax.random.key(1), (2, 5, 8))
    keys = jax.random.split(jax.random.key(2), 2)
    found = ablation.apply(layer, keys, x, name="softmax", sizes=SIZES)
    W, b = (np.asarray(part) for part in layer)
    for batch in range(2):
        q, k, v = (np.asarray(x[batch]) @ W[i] + b[i] for i in range(3))
        heads = []
        for h in (slice(0, 4), slice(4, 8)):
            weights = np.tril(np.exp(q[:, h] @ k[:, h].T / 2))
            heads.append(weights @ v[:, h] / weights.sum(axis=1, keepdims=True))
        expected = np.concatenate(heads, axis=1) @ W[3] + b[3]
        np.testing.assert_allclose(found[batch], expected, rtol=1e-10)


def test_the_layer_starts_within_pytorch_s_bounds():
    layer = ablation.start(jax.random.key(0), 16)
    for part in layer:
        assert abs(part).max() <= 0.25
        np.testing.assert_allclose(part.std(), 0.25 / 3**0.5, rtol=0.1)


def test_lows_see_a_planted_sign():
    keys = jax.random.split(jax.random.key(0), 4)
    shape = {"sizes": SIZES, "tokens": 16, "dimension": 4}
    signed = signs.lows(jax.random.clone(keys), name="slay_maclaurin", **shape)
    assert (signed[:, 0] < 0).all()
    positive = signs.lows(keys, name="slay", **shape)
    assert (positive[:, :2] > 0).all() and (positive[:, 2] == 0).all()


def test_entropy_of_equal_tokens_is_one_and_of_a_peak_near_zero():
    x = jnp.broadcast_to(jnp.arange(1.0, 5.0), (1, 1, 8, 4))
    same = selectivity.entropies(jax.random.key(0), x, name="softmax", sizes=SIZES)
    np.testing.assert_allclose(same, 1, rtol=1e-12)
    apart = jnp.eye(8)[None, None]
    peaked = selectivity.entropies(jax.random.key(0), apart, name="yat", sizes=SIZES)
    np.testing.assert_allclose(peaked, 0, atol=1e-12)  # all other weights are exactly 0


def test_tokens_have_the_similarity_they_were_asked_for():
    keys = jax.random.split(jax.random.key(0), 40)
    x = selectivity.draw(keys, jnp.array([0.0, 0.7]), tokens=2, dimension=500)
    unit = x / jnp.linalg.norm(x, axis=-1, keepdims=True)
    cosines = np.asarray(jnp.sum(unit[:, :, 0] * unit[:, :, 1], axis=-1))
    se = cosines.std(axis=0) / 40**0.5
    assert (abs(cosines.mean(axis=0) - np.array([0, 0.7])) < 4 * se).all()
