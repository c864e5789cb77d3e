"""The layer of the W3 cases: its inputs, and what it should give in float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from feedrun.papers.slay import attends, theory
from scripts.bench.case import Contestant

HEADS, WIDTH = 8, 256
D = WIDTH // HEADS
SIZES = attends.CONFIGURATIONS["table"]
NAMES = ("slay", "hybrid", "square", "window_square", "yat_blocked")
CHECKED = 32
"""Queries of which the outputs are checked."""


class Layer(NamedTuple):
    """Tokens (T, W), projections (H, W, 3, D) and (H, D, W), what attends drew for each head."""

    x: Any
    qkv: Any
    out: Any
    drawn: dict[str, Any]


def layer(seed: int, *, length: int) -> Layer:
    """Random tokens and weights that give q, k, v of unit variance."""
    x_key, qkv_key, out_key, draw_key = jax.random.split(jax.random.key(seed), 4)
    x = jax.random.normal(x_key, (length, WIDTH))
    qkv = jax.random.normal(qkv_key, (HEADS, WIDTH, 3, D)) / WIDTH**0.5
    out = jax.random.normal(out_key, (HEADS, D, WIDTH)) / WIDTH**0.5
    keys = jax.random.split(draw_key, HEADS)
    draws = {
        name: jax.vmap(lambda key, name=name: attends.ATTENDS[name](key, D, SIZES))(keys)
        for name in NAMES
    }
    return Layer(x, qkv, out, draws)


def error(p: Layer, output: dict[str, Any], contestant: Contestant) -> float:
    """Largest relative error over some queries of y, by the kernel that it says it is of."""
    y = np.asarray(output["y"], float)
    rows = np.linspace(0, len(y) - 1, CHECKED).astype(int)
    x, qkv, out = (np.asarray(a, float) for a in (p.x[: len(y)], p.qkv, p.out))
    past = np.arange(len(y))[None] <= rows[:, None]
    expected = np.zeros((CHECKED, WIDTH))
    for head in range(HEADS):
        q, k, v = (x @ qkv[head, :, j] for j in range(3))
        if output["kernel"] == "favor":
            K, delta = _favor(np.asarray(output["projection"], float), q[rows], k)
        else:
            K, delta = _kernel(p, output["kernel"], head, q[rows], k, rows), attends.DELTA
        weights = np.where(past, K, 0)
        expected += weights @ v / (weights.sum(1, keepdims=True) + delta) @ out[head]
    off = np.linalg.norm(y[rows] - expected, axis=1)
    return float(off.max() / np.linalg.norm(expected, axis=1).mean())


def _kernel(p: Layer, name: str, head: int, q: Any, k: Any, rows: Any) -> Any:
    """The kernel of the queries at `rows` and all keys."""
    if name == "softmax":
        return np.exp(q @ k.T / D**0.5)
    q, k = (u / np.linalg.norm(u, axis=1, keepdims=True) for u in (q, k))
    if name == "slay":
        a, w, c = (np.asarray(z[head], float) for z in slay_draws(p))
        squares = (q @ a.T) ** 2 @ ((k @ a.T) ** 2).T / len(a)
        return squares * (np.exp(q @ w.T + c) @ np.exp(k @ w.T + c).T)
    x, C = q @ k.T, 2 + SIZES.eps
    apart = rows[:, None] // SIZES.chunk - np.arange(len(k))[None] // SIZES.chunk
    exact = {
        "yat_blocked": True,
        "square": False,
        "hybrid": apart == 0,
        "window_square": apart <= SIZES.window,
    }[name]
    scale, shift = theory.far_square(D, SIZES.eps) if name == "window_square" else (1 / C, 0)
    return np.where(exact, x**2 / (C - 2 * x), scale * (x + shift) ** 2)


def slay_draws(p: Layer) -> tuple[Any, Any, Any]:
    """Anchors a, and w and c of the exponentials e^{w.u + c}, of all heads."""
    product = p.drawn["slay"].args[0].phi_q.args[0]
    return product.poly.directions, product.prf.omega, product.prf.offset


def _favor(W: Any, q: Any, k: Any) -> Any:
    """performer-pytorch's features multiplied, and what it adds to the denominator."""

    def phi(u, axis):
        shift = u @ W.T / D**0.25
        exponent = shift - (u**2).sum(1, keepdims=True) / 2 / D**0.5
        return (np.exp(exponent - shift.max(axis=axis, keepdims=True)) + 1e-4) / len(W) ** 0.5

    phi_q = phi(q, 1)
    return phi_q @ phi(k, (0, 1)).T, 1e-6 * phi_q.sum(1, keepdims=True)
