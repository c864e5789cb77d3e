"""Recurrent mixers against their equations written out element by element, and how they start."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy.special import expit

from feedrun.models import recurrent

T, D, E, N, H = 7, 4, 6, 4, 2
MODULES = {
    "mamba": recurrent.Mamba(E, N, True, 4, False),
    "selective": recurrent.SSD(E, H, N, "selective", True, 4, False),
    "fixed": recurrent.SSD(E, H, N, "fixed", True, 4, False),
    "none": recurrent.SSD(E, H, N, "none", False, 4, False),
    "s4d": recurrent.S4D(E, N, False, 4, False),
    "gru": recurrent.GRU(E, False, False),
    "lstm": recurrent.LSTM(E, False, False),
}


@functools.cache
def made(name):
    """(weights in numpy, x, y), with no weight at a special value."""
    module = MODULES[name]
    x = jax.random.normal(jax.random.key(1), (T, D))

    def run(key):
        params = module.init(key, x)
        params = jax.tree.map(
            lambda p: (p + 0.1 * jnp.cos(jnp.arange(p.size)).reshape(p.shape)).astype(float), params
        )
        return params["params"], module.apply(params, x)

    params, y = jax.jit(run)(jax.random.key(0))
    return jax.tree.map(np.asarray, params), np.asarray(x), np.asarray(y)


def silu(x):
    return x * expit(x)


def softplus(x):
    return np.log1p(np.exp(x))


def convolved(x, p):
    w = p["kernel"]
    sums = [sum(w[i] * x[t - i] for i in range(len(w)) if t >= i) for t in range(len(x))]
    return np.stack(sums) + p["bias"]


def normed(x, p):
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-6) * p["scale"]


def test_mamba_equals_its_equations():
    p, x, y = made("mamba")
    u, gate = np.split(x @ p["in"]["kernel"], 2, axis=1)
    u = silu(convolved(u, p["conv"]))
    low, B, C = np.split(u @ p["x"]["kernel"], [1, 1 + N], axis=1)
    delta = softplus(low @ p["dt"]["kernel"] + p["dt"]["bias"])
    A, h, out = -np.exp(p["A_log"]), np.zeros((N, E)), []
    for t in range(T):
        h = np.exp(delta[t] * A) * h + np.outer(B[t], delta[t] * u[t])
        out.append(C[t] @ h + p["D_skip"] * u[t])
    expected = (np.stack(out) * silu(gate)) @ p["out"]["kernel"]
    np.testing.assert_allclose(y, expected, rtol=1e-9)


@pytest.mark.parametrize("decay", ["selective", "fixed", "none"])
def test_the_ladder_equals_its_equations(decay):
    p, x, y = made(decay)
    z = x @ p["in"]["kernel"]
    assert z.shape[1] == 2 * E + 2 * N + (H if decay == "selective" else 0)
    gate, mixed, step = np.split(z, [E, 2 * E + 2 * N], axis=1)
    mixed = silu(convolved(mixed, p["conv"]) if "conv" in p else mixed)
    u, k, q = np.split(mixed, [E, E + N], axis=1)
    out = np.zeros((T, E))
    for head in range(H):
        part, state = slice(head * E // H, (head + 1) * E // H), np.zeros((N, E // H))
        for t in range(T):
            dt = softplus(p["dt_bias"][head] + (step[t, head] if decay == "selective" else 0))
            a = 1 if decay == "none" else np.exp(-dt * np.exp(p["A_log"][head]))
            state = a * state + dt * np.outer(k[t], u[t, part])
            out[t, part] = q[t] @ state + p["D_skip"][head] * u[t, part]
    expected = normed(out * silu(gate), p["norm"]) @ p["out"]["kernel"]
    np.testing.assert_allclose(y, expected, rtol=1e-9)
    assert ("A_log" in p) == (decay != "none")


def test_s4d_holds_its_input_constant_over_a_step():
    """dh/dt = A h + u by zero-order hold, integrated here in small steps of the exact flow."""
    p, x, y = made("s4d")
    gate, u = np.split(x @ p["in"]["kernel"], 2, axis=1)
    u, A = silu(u), -np.exp(p["A_log"]) + 1j * p["A_imag"]
    dt, C = np.exp(p["log_dt"])[:, None], p["C"][..., 0] + 1j * p["C"][..., 1]
    h, out = np.zeros(A.shape, complex), []
    for t in range(T):
        target = -u[t][:, None] / A  # where a constant input would lead
        h = target + np.exp(dt * A) * (h - target)
        out.append(2 * (C * h).sum(axis=1).real + p["D_skip"] * u[t])
    expected = normed(np.stack(out) * silu(gate), p["norm"]) @ p["out"]["kernel"]
    np.testing.assert_allclose(y, expected, rtol=1e-9)


def test_gru_equals_the_cell_of_flax():
    p, x, y = made("gru")
    names = ("r", "z", "n")
    drive = np.split(p["in"]["kernel"], 3, axis=1), np.split(p["in"]["bias"], 3)
    again, bias = np.split(p["kernel"], 3, axis=1), np.split(p["bias"], 3)
    cell = {f"i{n}": {"kernel": W, "bias": b} for n, W, b in zip(names, *drive, strict=True)}
    cell |= {f"h{n}": {"kernel": W} for n, W in zip(names, again, strict=True)}
    cell["hn"]["bias"] = bias[2]
    for n, b in zip("rz", bias, strict=False):
        cell[f"i{n}"]["bias"] = cell[f"i{n}"]["bias"] + b
    theirs = nn.RNN(nn.GRUCell(E, param_dtype=float)).apply({"params": {"cell": cell}}, x)
    np.testing.assert_allclose(y, theirs @ p["out"]["kernel"], rtol=1e-9)


def test_lstm_equals_the_cell_of_flax():
    p, x, y = made("lstm")
    names = ("i", "f", "o", "g")
    parts = [np.split(a, 4, axis=-1) for a in (p["in"]["kernel"], p["kernel"])]
    bias = np.split(p["in"]["bias"] + p["bias"], 4)
    bias[1] = bias[1] + 1  # forget gates start open
    cell = {f"i{n}": {"kernel": W} for n, W in zip(names, parts[0], strict=True)}
    for n, W, b in zip(names, parts[1], bias, strict=True):
        cell[f"h{n}"] = {"kernel": W, "bias": b}
    theirs = nn.RNN(nn.LSTMCell(E, param_dtype=float)).apply({"params": {"cell": cell}}, x)
    np.testing.assert_allclose(y, theirs @ p["out"]["kernel"], rtol=1e-9)


@functools.cache
def started(name):
    wide = {
        "mamba": recurrent.Mamba(400, N, True, 4, False),
        "selective": recurrent.SSD(800, 400, N, "selective", True, 4, False),
        "s4d": recurrent.S4D(400, N, False, 4, False),
        "gru": MODULES["gru"],
    }[name]
    params = jax.jit(lambda key: wide.init(key, jnp.zeros((1, 32), jnp.float32)))(jax.random.key(0))
    return jax.tree.map(np.asarray, params["params"])


@pytest.mark.parametrize("name", ["mamba", "selective", "s4d"])
def test_step_sizes_start_log_uniform_between_a_thousandth_and_a_tenth(name):
    p = started(name)
    dt = {
        "mamba": lambda: softplus(p["dt"]["bias"]),
        "selective": lambda: softplus(p["dt_bias"]),
        "s4d": lambda: np.exp(p["log_dt"]),
    }[name]()
    assert dt.min() >= 0.999e-3 and dt.max() <= 1.001e-1
    place = (np.log(dt) - np.log(1e-3)) / np.log(100)
    assert abs(place.mean() - 0.5) < 4 * (1 / 12 / 400) ** 0.5
    assert abs(place.var() - 1 / 12) < 4 * (1 / 180 / 400) ** 0.5


def test_decays_start_where_the_papers_put_them():
    counts = np.arange(1, N + 1)[:, None] * np.ones(400)
    np.testing.assert_allclose(np.exp(started("mamba")["A_log"]), counts, rtol=1e-6)
    A = np.exp(started("selective")["A_log"])
    assert 1 <= A.min() < 1.5 and 15.5 < A.max() <= 16
    p = started("s4d")
    np.testing.assert_allclose(np.exp(p["A_log"]), 0.5, rtol=1e-6)
    np.testing.assert_allclose(
        p["A_imag"], np.pi * np.arange(N // 2) * np.ones((400, 1)), rtol=1e-6
    )


def test_weights_of_the_step_size_are_uniform_in_the_inverse_root_of_the_rank():
    W = started("mamba")["dt"]["kernel"]  # rank 2 at width 32
    assert W.shape == (2, 400)
    assert 0.99 * 2**-0.5 < np.abs(W).max() <= 2**-0.5


def test_recurrent_weights_start_orthogonal():
    W = np.asarray(started("gru")["kernel"], float)
    for gate in np.split(W, 3, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(E), atol=1e-5)  # drawn in float32
