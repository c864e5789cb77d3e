"""Softmax attention against its written-out quadratic form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import attention

attend = jax.jit(attention.softmax_attention, static_argnames="causal")


def make(*, T=7, S=7, dtype=jnp.float64):
    q_key, k_key, v_key = jax.random.split(jax.random.key(0), 3)
    draw = partial(jax.random.normal, dtype=dtype)
    return draw(q_key, (T, 4)), draw(k_key, (S, 4)), draw(v_key, (S, 3))


def written_out(q, k, v, seen):
    """Row by row: sum over the keys seen of exp(q.k/2) v, over sum of exp(q.k/2); D is 4."""
    q, k, v = map(np.asarray, (q, k, v))
    rows = []
    for t in range(len(q)):
        weights = np.array([np.exp(q[t] @ k[s] / 2) for s in range(seen(t))])
        rows.append((weights[:, None] * v[: seen(t)]).sum(axis=0) / weights.sum())
    return np.array(rows)


def test_equals_the_quadratic_form_over_all_keys():
    q, k, v = make(T=5, S=9)
    np.testing.assert_allclose(
        attend(q, k, v, causal=False), written_out(q, k, v, lambda t: 9), rtol=1e-12
    )


@pytest.mark.parametrize("S", [5, 9])
def test_causal_equals_the_quadratic_form_over_keys_up_to_the_query(S):
    q, k, v = make(T=5, S=S)
    expected = written_out(q, k, v, lambda t: t + 1 + S - 5)
    np.testing.assert_allclose(attend(q, k, v, causal=True), expected, rtol=1e-12)


def test_causal_output_ignores_the_future():
    def early(k, v):
        return attention.softmax_attention(q, k, v, causal=True)[:4].sum()

    q, k, v = make()
    for slope in jax.grad(early, argnums=(0, 1))(k, v):
        assert jnp.abs(slope[:4]).min() > 0 and (slope[4:] == 0).all()


def test_scores_of_any_size_stay_finite():
    q, k, v = make()
    assert jnp.isfinite(attend(1e6 * q, k, v, causal=True)).all()


def test_equal_keys_give_the_mean_of_the_values():
    q, _, v = make()
    np.testing.assert_allclose(
        attend(q, jnp.ones((7, 4)), v, causal=False), np.tile(v.mean(axis=0), (7, 1)), rtol=1e-12
    )


@pytest.mark.parametrize("causal", [False, True])
def test_float32_stays_float32(causal):
    assert attend(*make(dtype=jnp.float32), causal=causal).dtype == jnp.float32


def test_more_queries_than_keys_cannot_be_causal():
    with pytest.raises(ValueError, match="7 queries needs as many keys, got 5"):
        attend(*make(S=5), causal=True)
