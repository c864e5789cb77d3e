"""The four forms of the selective scan against a loop in numpy, its gradients, and causality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import selective_scan as ss

CHUNKED = {f"chunk {n}": lambda *xs, n=n: ss.selective_scan(*xs, chunk=n) for n in (1, 8, 64)}
FORMS = {
    "sequential": ss.selective_scan_sequential,
    "associative": ss.selective_scan_associative,
    **CHUNKED,  # 8 does not divide the 21 times
}
TOLERANCE = {jnp.dtype("float32"): 1e-5, jnp.dtype("float64"): 1e-12}
AXES = (0, 0, None, 0, 0)


def make(dtype=jnp.float64, *, B=5, T=21, D=4, N=3):
    """Inputs with a leading axis of B sequences, but for A."""
    keys = jax.random.split(jax.random.key(0), 5)
    shapes = ((B, T, D), (B, T, D), (N, D), (B, T, N), (B, T, N))
    x, delta, A, *BC = (jax.random.normal(k, s, dtype) for k, s in zip(keys, shapes, strict=True))
    return x, jax.nn.softplus(delta), -jnp.exp(A), *BC


def first(args):
    """One sequence of them."""
    return tuple(x if axis is None else x[0] for x, axis in zip(args, AXES, strict=True))


def close(found, expected, dtype):
    scale = np.abs(np.asarray(expected)).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[jnp.dtype(dtype)] * scale)


def written_out(x, delta, A, B, C):
    h, ys = np.zeros(A.shape), []
    for t in range(len(x)):
        for n in range(A.shape[0]):
            for d in range(A.shape[1]):
                h[n, d] = np.exp(delta[t, d] * A[n, d]) * h[n, d] + delta[t, d] * B[t, n] * x[t, d]
        ys.append(np.asarray(C[t], float) @ h)
    return np.stack(ys)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_equals_the_written_out_loop(form, dtype):
    args = first(make(dtype))
    y = jax.jit(FORMS[form])(*args)
    assert y.dtype == dtype
    close(y, written_out(*(np.asarray(a, float) for a in args)), dtype)


def gradient(form, args):
    """Of a loss in which every output has a weight of its own, by all five inputs."""

    def loss(args):
        y = jax.vmap(form, AXES)(*args)
        return (jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape) * y).sum()

    return jax.jit(jax.grad(loss))(args)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("form", CHUNKED)
def test_the_written_gradient_is_the_automatic_one(form, dtype):
    args = make(dtype)  # five sequences: two pairs and one left over
    expected = gradient(ss.selective_scan_sequential, args)
    for found, truth in zip(gradient(FORMS[form], args), expected, strict=True):
        assert found.dtype == dtype
        close(found, truth, dtype)


def test_it_maps_over_seeds_of_batches_and_over_A():
    args = make()
    scan = FORMS["chunk 8"]
    batch = jax.vmap(scan, AXES)
    two = tuple(jnp.stack([x, 0.5 * x]) for x in args)
    found = jax.jit(jax.vmap(batch))(*two)
    for i in range(2):
        np.testing.assert_allclose(found[i], batch(*(x[i] for x in two)), rtol=1e-12)
    grads = jax.jit(
        jax.vmap(lambda *xs: jax.grad(lambda A: batch(*xs[:2], A, *xs[2:]).sum())(0.7 * args[2]))
    )(two[0], two[1], two[3], two[4])
    one = jax.grad(
        lambda A: jax.vmap(ss.selective_scan_sequential, AXES)(
            two[0][1], two[1][1], A, two[3][1], two[4][1]
        ).sum()
    )(0.7 * args[2])
    np.testing.assert_allclose(grads[1], one, rtol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_sees_the_future(form):
    x, delta, A, B, C = first(make())
    others = (
        x.at[13:].add(3.0),
        delta.at[13:].multiply(2),
        A,
        B.at[13:].add(1.0),
        C.at[13:].add(2),
    )
    run = jax.jit(FORMS[form])
    before, after = run(x, delta, A, B, C), run(*others)
    np.testing.assert_array_equal(before[:13], after[:13])
    assert (before[13:] != after[13:]).all()


def test_single_steps_give_the_parallel_form():
    x, delta, A, B, C = first(make())
    step = jax.jit(ss.selective_step)
    h, ys = jnp.zeros(A.shape), []
    for t in range(len(x)):
        h, y = step(h, x[t], delta[t], A, B[t], C[t])
        ys.append(y)
    np.testing.assert_allclose(FORMS["chunk 8"](x, delta, A, B, C), jnp.stack(ys), rtol=1e-12)


def test_a_hand_set_cell_is_the_steady_kalman_predictor():
    """Scalar state a = 0.9, q = 0.19, r = 1: exp(delta A) = a - K, delta B = K.

    P = (b + sqrt(b^2 + 4 q r)) / 2 with b = q - r (1 - a^2), K = a P / (P + r).
    """
    a, q, r = 0.9, 0.19, 1.0
    b = q - r * (1 - a**2)
    P = (b + np.sqrt(b**2 + 4 * q * r)) / 2
    K = a * P / (P + r)
    y = np.random.default_rng(0).normal(size=40)
    mean, predicted = 0.0, []
    for y_t in y:  # h_t is the prediction of y_{t+1}
        mean = (a - K) * mean + K * y_t
        predicted.append(mean)
    delta = -np.log(a - K)
    assert (delta, K / delta) == pytest.approx((0.467145308, 0.584852270), abs=1e-9)
    ones = jnp.ones((40, 1))
    found = ss.selective_scan(
        jnp.asarray(y)[:, None], delta * ones, -ones[:1], K / delta * ones, ones, chunk=16
    )
    np.testing.assert_allclose(found[:, 0], predicted, rtol=0, atol=1e-14)


def test_a_chunk_of_no_time_is_refused():
    with pytest.raises(ValueError, match="chunk must be 1 or more, got 0"):
        ss.selective_scan(*first(make()), chunk=0)
