"""Chunked kernel attention against the quadratic form, its gradients, its masks, its decoding."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.tree_util import Partial

from feedrun.maths import linear_attention as la
from feedrun.maths.kernel_sums import Kernel, fused, gram

D, E = 3, 2


def plain(w, u):
    return jnp.exp(u @ w)


def factored(w, u):
    return u**2, jnp.exp(u @ w)


def exact(q, k):
    return (q @ k.T) ** 2 + 1


def kernel(name, w):
    phi = Partial(plain if name == "plain" else factored, w)
    return Kernel(phi, phi, exact if name == "hybrid" else None)


def quadratic(name, w, q, k, v, *, causal, chunk, window=0, mask=None):
    """The written-out form: one (T, S) matrix of weights."""
    phi = plain if name == "plain" else lambda w, u: fused(factored(w, u))
    G = phi(w, q) @ phi(w, k).T
    i, j = jnp.arange(len(k) - len(q), len(k))[:, None], jnp.arange(len(k))[None]
    if name == "hybrid":
        apart = abs((i - len(k) + len(q)) // chunk - j // chunk)
        G = jnp.where(apart <= window, exact(q, k), G)
    if causal:
        G = jnp.where(j <= i, G, 0)
    if mask is not None:
        G = jnp.where(mask[None], G, 0)
    return G @ v / (G.sum(1, keepdims=True) + DELTA)


DELTA = 1e-3
NAMES = ["plain", "factored", "hybrid"]


@partial(jax.jit, static_argnames=("name", "causal", "chunk", "window"))
def chunked(name, w, q, k, v, *, causal, chunk, window=0, mask=None):
    how = {"causal": causal, "chunk": chunk, "window": window, "mask": mask, "delta": DELTA}
    return la.kernel_attention(kernel(name, w), q, k, v, **how)


def make(T=13, S=None, dtype=float, seed=0):
    keys = jax.random.split(jax.random.key(seed), 4)
    w = jax.random.normal(keys[0], (D, 4), dtype) / 2
    q, k, v = (
        jax.random.normal(key, (n, m), dtype)
        for key, n, m in zip(keys[1:], (T, S or T, S or T), (D, D, E), strict=True)
    )
    return w, q, k, v


@given(
    name=st.sampled_from(NAMES),
    T=st.sampled_from([1, 4, 13]),
    chunk=st.sampled_from([1, 3, 4, 13, 32]),
    window=st.sampled_from([0, 1, 2, 20]),
    causal=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 9),
    hidden=st.sets(st.integers(0, 12)),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_chunked_equals_the_masked_quadratic_form(
    name, T, chunk, window, causal, dtype, seed, hidden
):
    args = make(T, dtype=dtype, seed=seed)
    mask = jnp.asarray([j not in hidden for j in range(T)])
    how = {"causal": causal, "chunk": chunk, "window": window, "mask": mask}
    out, expected = chunked(name, *args, **how), quadratic(name, *args, **how)
    assert out.dtype == dtype
    tol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(out, expected, rtol=tol, atol=tol * float(abs(args[3]).max()))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name,window", [*((name, 0) for name in NAMES), ("hybrid", 1)])
def test_gradients_equal_those_of_the_quadratic_form(name, window, causal):
    args = make()
    mask = jnp.arange(13) % 5 != 1

    def loss(attention, *args):
        how = {"causal": causal, "chunk": 3, "window": window, "mask": mask}
        return jnp.sum(jnp.sin(attention(name, *args, **how)))

    ours = jax.jit(jax.grad(partial(loss, chunked), argnums=(0, 1, 2, 3)))(*args)
    expected = jax.jit(jax.grad(partial(loss, quadratic), argnums=(0, 1, 2, 3)))(*args)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
def test_fewer_queries_than_keys_are_the_last_ones(causal):
    w, q, k, v = make(T=5, S=12)
    for name in NAMES[:2]:
        out = chunked(name, w, q, k, v, causal=causal, chunk=4)
        expected = quadratic(name, w, q, k, v, causal=causal, chunk=4)
        np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_gradients_with_fewer_queries_than_keys():
    args = make(T=5, S=12)

    def loss(attention, *args):
        return jnp.sum(jnp.sin(attention("factored", *args, causal=True, chunk=4)))

    ours = jax.jit(jax.grad(partial(loss, chunked), argnums=(0, 1, 2, 3)))(*args)
    expected = jax.jit(jax.grad(partial(loss, quadratic), argnums=(0, 1, 2, 3)))(*args)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name,window", [*((name, 0) for name in NAMES), ("hybrid", 1)])
def test_causal_output_ignores_the_future(name, window):
    w, q, k, v = make()
    t, how = 8, {"causal": True, "chunk": 3, "window": window}
    before = chunked(name, w, q, k, v, **how)
    q, k, v = (x.at[t + 1 :].set(7.0) for x in (q, k, v))
    after = chunked(name, w, q, k, v, **how)
    np.testing.assert_array_equal(before[: t + 1], after[: t + 1])
    assert (before[t + 1 :] != after[t + 1 :]).all()

    def out(k, v):
        return chunked(name, w, q, k, v, **how)[t].sum()

    for gradient in jax.grad(out, argnums=(0, 1))(k, v):
        np.testing.assert_array_equal(gradient[t + 1 :], 0)
        assert (gradient[: t + 1] != 0).all()


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_masked_keys_never_matter_not_even_nan(name, causal):
    w, q, k, v = make()
    mask = jnp.arange(13) < 9

    def out(k, v):
        return chunked(name, w, q, k, v, causal=causal, chunk=4, mask=mask)

    spoilt = k.at[9:].set(jnp.nan), v.at[9:].set(jnp.inf)
    np.testing.assert_array_equal(out(k, v), out(*spoilt))
    for gradient in jax.grad(lambda *kv: out(*kv).sum(), argnums=(0, 1))(*spoilt):
        np.testing.assert_array_equal(gradient[9:], 0)
        assert np.isfinite(gradient).all()


def test_a_query_that_sees_no_key_gets_zero():
    w, q, k, v = make()
    mask = jnp.arange(13) > 2
    out = chunked("factored", w, q, k, v, causal=True, chunk=4, mask=mask)
    np.testing.assert_array_equal(out[:3], 0)


@pytest.mark.parametrize(
    "name,chunk,window", [("plain", 1, 0), ("factored", 4, 0), ("hybrid", 4, 0), ("hybrid", 3, 2)]
)
def test_decoding_equals_the_parallel_form(name, chunk, window):
    w, q, k, v = make()
    K = kernel(name, w)
    state = la.init_state(K, k[0], v[0], chunk=chunk, window=window)
    near = (window + 1) * chunk * (D + E + 1)
    assert la.state_size(state) == (E + 1) * fused(K.phi_k(k)).shape[1] + near

    def advance(state, x):
        return la.step(K, state, *x, delta=DELTA)

    _, out = jax.jit(lambda state, x: jax.lax.scan(advance, state, x))(state, (q, k, v))
    # Without scores of its own a kernel gives the same in chunks of any size.
    expected = chunked(name, w, q, k, v, causal=True, chunk=max(chunk, 3), window=window)
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_features_that_are_there_already_give_the_same():
    w, q, k, v = make()
    phi_q, phi_k = factored(w, q), factored(w, k)
    how = {"causal": True, "chunk": 4, "delta": DELTA}
    out = la.linear_attention(phi_q, phi_k, v, **how)
    multiplied = la.linear_attention(fused(phi_q), fused(phi_k), v, **how)
    expected = quadratic("factored", w, q, k, v, causal=True, chunk=4)
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    np.testing.assert_allclose(multiplied, expected, rtol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("block", [None, 5])
def test_blocks_of_the_quadratic_form_equal_all_of_it(block, causal):
    w, q, k, v = make(T=7, S=12)
    mask = jnp.arange(12) % 5 != 1

    def scores(q, k):
        return gram(plain(w, q), plain(w, k))

    def blocked(*args):
        return la.quadratic_attention(
            scores, *args, causal=causal, block=block, mask=mask, delta=DELTA
        )

    def whole(*args):
        return quadratic("plain", w, *args, causal=causal, chunk=1, mask=mask)

    np.testing.assert_allclose(blocked(q, k, v), whole(q, k, v), rtol=1e-12)
    for a, b in zip(
        jax.grad(lambda *x: jnp.sin(blocked(*x)).sum(), (0, 1, 2))(q, k, v),
        jax.grad(lambda *x: jnp.sin(whole(*x)).sum(), (0, 1, 2))(q, k, v),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_backward_keeps_neither_features_nor_sums():
    """Temporary memory of a gradient a token stays below what one set of features would take."""
    w = jnp.ones((D, 64), jnp.float32) / 8

    def temporary(T):
        def loss(*qkv):
            return chunked("plain", w, *qkv, causal=True, chunk=16).sum()

        shapes = [jax.ShapeDtypeStruct((T, m), jnp.float32) for m in (D, D, E)]
        compiled = jax.jit(jax.grad(loss, (0, 1, 2))).lower(*shapes).compile()
        memory: Any = compiled.memory_analysis()
        return memory.temp_size_in_bytes

    a_token = (temporary(4096) - temporary(2048)) / 2048
    assert a_token < 64 * 4


def test_bad_shapes_are_refused_with_their_numbers():
    w, q, k, v = make(T=12, S=5)
    with pytest.raises(ValueError, match="12 queries needs as many keys, got 5"):
        chunked("plain", w, q, k, v, causal=True, chunk=4)
    with pytest.raises(ValueError, match="got 5 and 12"):
        chunked("hybrid", w, q, k, v, causal=False, chunk=4)
