"""Recurrences against loops written out in numpy, their forms against each other, and causality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import recurrences

SIZES = {"T": 21, "N": 3, "P": 2}
FORMS = {
    "sequential": recurrences.ssd_sequential,
    "chunks of 8": lambda *xs: recurrences.ssd(*xs, chunk=8),  # the last one is not full
    "one chunk": lambda *xs: recurrences.ssd(*xs, chunk=64),
    "chunks of 1": lambda *xs: recurrences.ssd(*xs, chunk=1),
}
FORMS = {name: jax.jit(form) for name, form in FORMS.items()}
TOLERANCE = {jnp.dtype("float32"): 1e-5, jnp.dtype("float64"): 1e-12}


def make(dtype=jnp.float64, *, T=21, N=3, P=2):
    keys = jax.random.split(jax.random.key(0), 4)
    v, k, q = (
        jax.random.normal(key, (T, n), dtype) for key, n in zip(keys, (P, N, N), strict=False)
    )
    return v, -jax.random.exponential(keys[3], (T,), dtype), k, q


def close(found, expected, dtype):
    scale = np.abs(np.asarray(expected)).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[jnp.dtype(dtype)] * scale)


@pytest.mark.parametrize("parallel", [False, True])
def test_states_equal_the_written_out_loop(parallel):
    a, b = (jax.random.normal(jax.random.key(i), (17, 3)) for i in range(2))
    h, expected = np.zeros(3), []
    for a_t, b_t in zip(np.asarray(a), np.asarray(b), strict=True):
        h = a_t * h + b_t
        expected.append(h)
    states = recurrences.linear_recurrence(a, b, parallel=parallel)
    np.testing.assert_allclose(states, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_ssd_is_the_decayed_sum_over_the_past(form, dtype):
    v, log_a, k, q = args = make(dtype)
    total = np.concatenate([[0], np.cumsum(np.asarray(log_a, float))])
    expected = np.zeros(v.shape)
    for t in range(len(v)):
        for s in range(t + 1):
            weight = np.exp(total[t + 1] - total[s + 1]) * np.dot(q[t], k[s])
            expected[t] += weight * np.asarray(v[s], float)
    y = FORMS[form](*args)
    assert y.dtype == dtype
    close(y, expected, dtype)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_gradient_of_chunks_is_that_of_single_steps(dtype):
    args = make(dtype)

    def gradient(form):
        return jax.jit(jax.grad(lambda args: (form(*args) ** 2).sum()))(args)

    chunked, sequential = gradient(FORMS["chunks of 8"]), gradient(FORMS["sequential"])
    for found, expected in zip(chunked, sequential, strict=True):
        close(found, expected, dtype)


def test_a_strong_decay_leaves_gradients_finite():
    v, log_a, k, q = make(jnp.float32)
    grads = jax.grad(lambda log_a: FORMS["one chunk"](v, log_a, k, q).sum())(200 * log_a)
    assert jnp.isfinite(grads).all()


def test_without_decay_it_is_unnormalised_linear_attention():
    v, log_a, k, q = make()
    expected = jnp.tril(q @ k.T) @ v
    np.testing.assert_allclose(FORMS["chunks of 8"](v, 0 * log_a, k, q), expected, rtol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_ssd_does_not_see_the_future(form):
    args = make()
    others = tuple(x.at[13:].multiply(3.7) for x in args)
    before, after = FORMS[form](*args), FORMS[form](*others)
    np.testing.assert_array_equal(before[:13], after[:13])
    assert (before[13:] != after[13:]).all()


def poles(dtype=jnp.complex128):
    keys = jax.random.split(jax.random.key(2), 4)
    real = jax.random.uniform(keys[0], (3,), jnp.float64, 0.02, 1)
    imag = jax.random.uniform(keys[1], (3,), jnp.float64, -3, 3)
    b, c = (jax.random.normal(key, (3,), jnp.complex128) for key in keys[2:])
    return tuple(z.astype(dtype) for z in (jax.lax.complex(-real, imag), b, c))


time_invariant = jax.jit(recurrences.time_invariant, static_argnames="chunk")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("chunk", [1, 8, 64])
def test_time_invariant_is_the_real_part_of_the_complex_recurrence(chunk, dtype):
    u = make(dtype)[0][:, 0]
    log_a, b, c = poles(jnp.complex64 if dtype == jnp.float32 else jnp.complex128)
    h, expected = np.zeros(3, complex), []
    for u_t in np.asarray(u):
        h = np.exp(log_a) * h + np.asarray(b) * u_t
        expected.append((np.asarray(c) * h).sum().real)
    y = time_invariant(u, log_a, b, c, chunk=chunk)
    assert y.dtype == dtype
    close(y, expected, dtype)


@jax.jit
def single_steps(u, log_a, b, c):
    start = jnp.zeros(3, complex)
    step = recurrences.time_invariant_step
    return jax.lax.scan(lambda h, u: step(h, u, log_a, b, c), start, u)[1]


def test_time_invariant_equals_its_steps_and_so_do_the_gradients():
    args = make()[0][:, 0], *poles()
    np.testing.assert_allclose(time_invariant(*args, chunk=8), single_steps(*args), rtol=1e-10)

    def gradient(form):
        return jax.grad(lambda args: (form(*args) ** 2).sum())(args)

    found = gradient(lambda *args: time_invariant(*args, chunk=8))
    for one, other in zip(found, gradient(single_steps), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_time_invariant_does_not_see_the_future():
    u = make()[0][:, 0]
    before, after = (time_invariant(x, *poles(), chunk=8) for x in (u, u.at[13:].add(1e3)))
    np.testing.assert_array_equal(before[:13], after[:13])
    assert (before[13:] != after[13:]).all()


def test_the_short_convolution_sums_the_last_inputs_whole_or_by_steps():
    x, w = jax.random.normal(jax.random.key(0), (9, 2)), jnp.asarray([[1.0, 2], [3, 4], [5, 6]])
    last = [sum(w[i] * x[t - i] for i in range(3) if t >= i) for t in range(9)]
    expected = jnp.stack([jnp.asarray(row) for row in last])
    np.testing.assert_allclose(recurrences.short_convolution(x, w), expected, rtol=1e-12)
    step = lambda state, x: recurrences.short_convolution_step(state, x, w)  # noqa: E731
    _, stepped = jax.lax.scan(step, jnp.zeros((2, 2)), x)
    np.testing.assert_allclose(stepped, expected, rtol=1e-12)


def test_float32_stays_float32_in_the_convolution():
    x = jnp.ones((5, 2), jnp.float32)
    assert recurrences.short_convolution(x, x[:3]).dtype == jnp.float32
