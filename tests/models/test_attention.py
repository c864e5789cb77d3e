"""Attention mixers against the sums they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.models.attention import Attention

T, D, H = 9, 8, 2


def made(**options):
    """(kernel of q, k, v, kernel out, x, y) of an attention mixer in float64."""
    defaults = {"heads": H, "kind": "softmax", "places": "none", "conv": False}
    module = Attention(**defaults | options, length=T, chunk=4, streaming=False)
    x = jax.random.normal(jax.random.key(1), (T, D))

    def run(key):
        params = jax.tree.map(lambda p: 2 * p.astype(float), module.init(key, x))
        return params["params"], module.apply(params, x)

    params, y = jax.jit(run)(jax.random.key(0))
    return *(np.asarray(params[n]["kernel"]) for n in ("qkv", "out")), np.asarray(x), np.asarray(y)


def softmax(q, k, t, s):
    return np.exp(q[t] @ k[s] / 2)  # sqrt(4) features a head


def alibi(q, k, t, s, head):
    return np.exp(q[t] @ k[s] / 2 - 2.0 ** (-8 * (head + 1) / H) * (t - s))


def rope(q, k, t, s):
    """Feature i with feature i + 2, turned by the difference of the positions."""
    score = 0
    for i, rate in enumerate((1.0, 0.01)):
        a, b = q[t][i] + 1j * q[t][i + 2], k[s][i] + 1j * k[s][i + 2]
        score += (a * np.conj(b) * np.exp(1j * rate * (t - s))).real
    return np.exp(score / 2)


def elu1(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


CASES = {
    "softmax": ({}, lambda q, k, t, s, h: softmax(q, k, t, s)),
    "alibi": ({"places": "alibi"}, alibi),
    "rope": ({"places": "rope"}, lambda q, k, t, s, h: rope(q, k, t, s)),
    "linear_elu": (
        {"kind": "linear_elu"},
        lambda q, k, t, s, h: elu1(q[t]) @ elu1(k[s]),
    ),
    "linear": ({"kind": "linear"}, lambda q, k, t, s, h: q[t] @ k[s]),
}


@pytest.mark.parametrize("case", CASES)
def test_output_is_the_weighted_mean_of_the_past_written_out(case):
    options, weight = CASES[case]
    qkv, out, x, y = made(**options)
    q, k, v = np.split(x @ qkv, 3, axis=1)
    mixed = np.zeros((T, D))
    for head in range(H):
        part = slice(head * D // H, (head + 1) * D // H)
        for t in range(T):
            w = np.array([weight(q[:, part], k[:, part], t, s, head) for s in range(t + 1)])
            total = t + 1 if case == "linear" else w.sum()
            mixed[t, part] = w @ v[: t + 1, part] / total
    np.testing.assert_allclose(y, mixed @ out, rtol=1e-9)


def test_an_odd_head_cannot_be_turned():
    with pytest.raises(ValueError, match="turn pairs of features; a head has 1"):
        made(heads=8, places="rope")


def test_without_positions_the_past_has_no_order():
    x = made()[2]
    module = Attention(H, "softmax", "none", False, T, 4, False)
    params = module.init(jax.random.key(0), x)
    shuffled = jnp.concatenate([x[:-1][::-1], x[-1:]])
    run = jax.jit(lambda z: jnp.asarray(module.apply(params, z))[-1])
    np.testing.assert_allclose(run(jnp.asarray(x)), run(shuffled), rtol=1e-10)
