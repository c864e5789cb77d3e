"""Laws known in advance and the exact bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import curvature, fits
from feedrun.models import mlp
from feedrun.papers.noise_curvature import controls, theory
from feedrun.papers.noise_curvature.exponents import exponents


def regression(x, y, w):
    """Moments of linear regression l = (x.w - y)^2 / 2: a layer with one output."""

    def factors(xy):
        return curvature.layer_factors(lambda z: ((z - xy[1]) ** 2).sum() / 2, w[None], xy[0])

    return curvature.moments(factors, (x, y), chunk=1000)


def noisy_line(key, *, B, D, noise, unit=False):
    """Anisotropic inputs (B, D), labels with independent noise, the true weights."""
    w_key, x_key, noise_key = jax.random.split(key, 3)
    x = jax.random.normal(x_key, (B, D)) * jnp.logspace(0, -1, D)[None]
    x = x / jnp.linalg.norm(x, axis=1, keepdims=True) if unit else x
    w = jax.random.normal(w_key, (D,))
    return x, x @ w + noise * jax.random.normal(noise_key, (B,)), w


def test_label_noise_gives_exponent_one_and_its_constant():
    """C = noise^2 H at the true weights, while C is not proportional to E[h^2]."""
    x, y, w = noisy_line(jax.random.key(0), B=20_000, D=12, noise=0.5)
    m = regression(x, y, w)
    d = curvature.moment_diagonals(m, jnp.linalg.eigh(m.H)[1])
    e, se = exponents(d), (2 / 20_000) ** 0.5
    # Each log-ratio has standard error sqrt(2 / B); a slope over 12 directions is tighter still.
    assert abs(e.gamma_emp - 1) < 4 * se
    assert (jnp.abs(d.C / d.H / 0.25 - 1) < 5 * se).all()
    Sigma = x.T @ x / len(x)
    gaussian = jnp.trace(Sigma) * Sigma + 2 * Sigma @ Sigma
    np.testing.assert_allclose(
        m.E2, gaussian, atol=0.05 * float(gaussian.max())
    )  # 4 standard errors
    assert e.c_vs_e2 < 0.98


def test_unit_inputs_make_both_moments_equal():
    """h = x x^T with |x| = 1 is a projection."""
    m = regression(*noisy_line(jax.random.key(1), B=300, D=8, noise=0.5, unit=True))
    np.testing.assert_allclose(m.E2, m.H, rtol=1e-10, atol=1e-15)


def test_well_specified_softmax_has_covariance_equal_to_curvature():
    """Held by the estimator of the network."""
    found = controls.measured(
        jax.random.key(2), planted=2000, softmax=20_000, dependent=100, draws=1
    )
    assert abs(found["control_softmax_gamma"] - 1) < 0.02
    assert abs(found["control_softmax_ratio"] - 1) < 3 * (2 / 20_000) ** 0.5


def test_common_curvature_gives_exponent_two():
    """l = (w - m)^T A (w - m) / 2 with m ~ N(0, tau^2): C = tau^2 A^2, E2 = A^2."""
    tau, A = 0.3, jnp.logspace(0, -3, 10)
    m = tau * jax.random.normal(jax.random.key(3), (50_000, 10))
    C = jnp.cov((m * A[None]).T, bias=True)
    d = curvature.Diagonals(jnp.diagonal(C), A, A**2)
    assert abs(exponents(d).gamma_emp - 2) < 0.01
    np.testing.assert_allclose(exponents(d).gamma_e2, 2, rtol=1e-10)
    assert (jnp.abs(d.C / (tau**2 * A**2) - 1) < 5 * (2 / 50_000) ** 0.5).all()


@pytest.mark.parametrize("s", [0.2, 0.4, 0.8])
def test_planted_wells_have_their_exponent_and_constant(s):
    """H = q / D, E2 = q^(1+s) / D, C = tau^2 E2."""
    q = jnp.logspace(-1.5, 0, 20)
    d = jax.jit(theory.planted_wells, static_argnames=("samples", "s", "tau"))(
        jax.random.key(4), q, samples=200_000, s=s, tau=0.5
    )
    assert (jnp.abs(d.H / (q / 20) - 1) < 5 * (20 / 200_000 / q.min() ** (1 - s)) ** 0.5).all()
    np.testing.assert_allclose(d.E2, q**s * d.H, rtol=1e-10)
    assert abs(exponents(d).gamma_emp - (1 + s)) < 0.02
    assert abs(jnp.median(d.C / d.E2) / 0.25 - 1) < 0.02


def test_interpolating_logistic_regression_has_noise_equal_to_the_second_moment():
    """|x| = 1, residual eps: g g^T = eps^2 x x^T and h^2 = eps^2 (1 - eps)^2 x x^T."""
    x, _, w = noisy_line(jax.random.key(5), B=4000, D=6, noise=0, unit=True)
    margin = 20 * jnp.abs(x @ w)
    keep = jax.nn.sigmoid(-margin) < 0.01
    x = x[keep] * jnp.sign(x @ w)[keep][:, None]  # label +1 after reflection

    def factors(x):
        return curvature.layer_factors(lambda z: jax.nn.softplus(-z).sum(), 20 * w[None], x)

    m = curvature.moments(factors, x, chunk=500)
    uncentred = m.C + jnp.outer(*2 * (jax.vmap(lambda x: factors(x).delta[0] * x)(x).mean(0),))
    lam, V = jnp.linalg.eigh(m.H)
    ratio = jnp.diagonal(V.T @ uncentred @ V) / jnp.diagonal(V.T @ m.E2 @ V)
    assert (ratio >= 1).all()
    assert (ratio <= (1 - 0.01) ** -2).all()
    assert (lam > 0).all()


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("name", [name for name, loss in theory.LOSSES.items() if loss.convex])
def test_sandwich_holds_in_every_direction_of_every_layer(name, layer):
    """Held for losses convex in the logits and ReLU."""
    widths, of_logits = (8, 7, 6, 5), theory.LOSSES[name].value
    init_key, x_key, y_key = jax.random.split(jax.random.key(6), 3)
    params = jax.tree.map(lambda w: 2.0 * w.astype(jnp.float64), mlp.mlp(widths).init(init_key))
    net = mlp.split(widths, layer)
    x = jax.random.normal(x_key, (60, 8))
    xs = jax.vmap(lambda x: net.prefix(params, x))(x), jax.random.randint(y_key, (60,), 0, 5)

    def factors(ay):
        loss = lambda z: of_logits(net.suffix(params, z), ay[1])  # noqa: E731
        return curvature.layer_factors(loss, net.weight(params), ay[0])

    m = curvature.moments(factors, xs, chunk=60)
    kap_max = jax.vmap(lambda ay: curvature.spectrum(factors(ay)))(xs).max()
    lam, V = jnp.linalg.eigh(m.H)
    d = curvature.moment_diagonals(m, V[:, lam > 1e-10 * lam[-1]])
    assert theory.sandwich_slack(d, kap_max) >= 1 - 1e-9
    assert theory.sandwich_slack(d._replace(E2=d.H**2 / 2), kap_max) < 1


def test_fisher_factor_equals_curvature_for_a_piecewise_linear_network():
    """Bartlett: with labels from the model itself the second derivative is the variance."""
    net, params = mlp.split((6, 5, 4), 0), mlp.mlp((6, 5, 4)).init(jax.random.key(0))
    params = jax.tree.map(lambda w: w.astype(jnp.float64), params)
    z = jax.random.normal(jax.random.key(7), (5,))
    logits = lambda z: net.suffix(params, z)  # noqa: E731
    S = jax.hessian(lambda z: theory.cross_entropy(logits(z), jnp.array(2)))(z)
    np.testing.assert_allclose(theory.fisher_factor(logits, z), S, rtol=1e-10, atol=1e-15)


LOGITS, ONEHOT = np.array([1.0, -2.0, 0.5, 0.1]), np.array([0, 0, 1, 0])


def closed_forms(name):
    """(value, residual r, Hessian Lambda) in the logits, written out."""
    K, p = len(LOGITS), np.exp(LOGITS) / np.exp(LOGITS).sum()
    L, e = np.diag(p) - np.outer(p, p), p - ONEHOT
    s, pe = p @ e, p * e
    indefinite = np.diag(pe) - np.outer(pe, p) - np.outer(p, pe)
    indefinite += 2 * s * np.outer(p, p) - s * np.diag(p)
    return {
        "cross_entropy": (-np.log(p[2]), e, L),
        "softmax_mse": ((e**2).mean(), 2 / K * L @ e, 2 / K * (L @ L + indefinite)),
        "logit_mse": (
            ((LOGITS - ONEHOT) ** 2).mean(),
            2 / K * (LOGITS - ONEHOT),
            2 / K * np.eye(K),
        ),
    }[name]


@pytest.mark.parametrize("name", theory.LOSSES)
def test_loss_its_residual_and_its_hessian_have_their_closed_forms(name):
    loss = lambda logits: theory.LOSSES[name].value(logits, jnp.array(2))  # noqa: E731
    value, r, Lambda = closed_forms(name)
    np.testing.assert_allclose(loss(jnp.array(LOGITS)), value, rtol=1e-10)
    np.testing.assert_allclose(jax.grad(loss)(jnp.array(LOGITS)), r, rtol=1e-10)
    found = jax.hessian(loss)(jnp.array(LOGITS))
    np.testing.assert_allclose(found, Lambda, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", theory.LOSSES)
def test_convex_is_said_of_the_losses_whose_hessian_has_no_negative_eigenvalue(name):
    """At every corner and in the middle of the simplex; the label is class 0."""
    logits = 4.0 * jnp.concatenate([jnp.eye(4), 1 - jnp.eye(4), jnp.zeros((1, 4))])
    of_logits = lambda z: theory.LOSSES[name].value(z, jnp.array(0))  # noqa: E731
    lowest = jnp.linalg.eigvalsh(jax.vmap(jax.hessian(of_logits))(logits)).min()
    assert (lowest > -1e-12) == theory.LOSSES[name].convex


@pytest.mark.parametrize("margin", [1.0, 3.0, 10.0])
@pytest.mark.parametrize(("name", "beta"), [("cross_entropy", 1), ("softmax_mse", 2)])
def test_a_fitted_samples_noise_is_its_squared_curvature(name, beta, margin):
    """Spec 2.5: g g^T |grad m|^2 = h^2 / beta^2 as the margin m grows; exact in s = sigmoid(-m)."""
    z, s = jnp.array([margin, 0.0]), jax.nn.sigmoid(-margin)
    of_logits = lambda z: theory.LOSSES[name].value(z, jnp.array(0))  # noqa: E731
    g, h = jax.grad(of_logits)(z), jax.hessian(of_logits)(z)
    exact = (1 - s) ** -2 if beta == 1 else (2 - 3 * s) ** -2
    np.testing.assert_allclose(2 * jnp.outer(g, g), exact * h @ h, rtol=1e-8)
    if margin == 10:
        np.testing.assert_allclose(exact, 1 / beta**2, rtol=2e-4)


def test_independent_curvature_looks_superlinear_until_cross_fit():
    """At N = 1000, D = 200, sigma = 1.5: 1.144 in-sample, 1.002 cross-fit, mean of 3 draws."""
    draw = jax.jit(lambda key: controls.independent(key, samples=1000, sigma=1.5))
    found = jnp.stack([draw(key) for key in jax.random.split(jax.random.key(8), 6)])
    se = found.std(0, ddof=1) / 6**0.5
    assert abs(found[:, 0].mean() - 1.144) < 4 * se[0]
    assert abs(found[:, 1].mean() - 1) < 4 * se[1]


def test_equal_curvature_has_exponent_one_in_every_sample():
    """At sigma = 0: E2 = H."""
    np.testing.assert_allclose(
        controls.independent(jax.random.key(9), samples=500, sigma=0.0)[:2], 1, rtol=1e-8
    )


@pytest.mark.slow
@pytest.mark.parametrize(("s", "sigma"), [(0.4, 0.0), (0.7, 0.5)])
def test_banded_curvature_has_its_exponent_on_the_true_axes(s, sigma):
    """Away from the ends of the band; the remaining 0.05 is curvature of the ends."""
    at = jnp.linspace(0, 1, 100)
    f = theory.planted_bands(jax.random.key(10), at, samples=200_000, s=s, sigma=sigma, width=0.03)
    q = f.u**2
    line = fits.power_law((f.kap @ q)[20:80], (f.kap**2 @ q)[20:80])
    assert abs(line.slope - (1 + s)) < 0.05
