"""The layer of the attention cases: its inputs, and what it should give in float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from feedrun.maths import square_features
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import mechanisms
from scripts.bench.case import Contestant

HEADS = 8
SIZES = mechanisms.CONFIGURATIONS["table"]
NAMES = ("slay", "hybrid", "square", "window_square", "yat_blocked")
CHECKED = 32
"""Queries of which the outputs are checked."""


class Layer(NamedTuple):
    """Tokens (T, W), projections (H, W, 3, D) and (H, D, W), what attends drew for each head.

    towards, weights (T, W): a direction of the tokens and weights of the outputs, for gradients.
    """

    x: Any
    qkv: Any
    out: Any
    drawn: dict[str, Any]
    towards: Any
    weights: Any

    @property
    def dimension(self) -> int:
        """D, of a head."""
        return self.out.shape[1]


def layer(seed: int, *, length: int, dimension: int) -> Layer:
    """Random tokens and weights that give q, k, v of unit variance; W = H D."""
    width = HEADS * dimension
    x_key, qkv_key, out_key, draw_key, *more = jax.random.split(jax.random.key(seed), 6)
    x, towards, weights = (jax.random.normal(k, (length, width)) for k in (x_key, *more))
    qkv = jax.random.normal(qkv_key, (HEADS, width, 3, dimension)) / width**0.5
    out = jax.random.normal(out_key, (HEADS, dimension, width)) / width**0.5
    keys = jax.random.split(draw_key, HEADS)
    draws = {
        name: jax.vmap(lambda key, name=name: mechanisms.ATTENDS[name](key, dimension, SIZES))(keys)
        for name in NAMES
    }
    return Layer(x, qkv, out, draws, towards, weights)


def error(p: Layer, output: dict[str, Any], contestant: Contestant) -> float:
    """Largest relative error over some queries of y, by the kernel that it says it is of."""
    y = np.asarray(output["y"], float)
    rows = np.linspace(0, len(y) - 1, CHECKED).astype(int)
    expected = _outputs(p, output, np.asarray(p.x[: len(y)], float), rows)
    off = np.linalg.norm(y[rows] - expected, axis=1)
    return float(off.max() / np.linalg.norm(expected, axis=1).mean())


def gradient_error(p: Layer, output: dict[str, Any], contestant: Contestant) -> float:
    """Relative error of the slope of (y * weights).sum() in x, along `towards`.

    `output["gradient"]` (T, W) against central differences in float64 of every output.
    """
    x, towards, weights = (np.asarray(a, float) for a in (p.x, p.towards, p.weights))
    rows, h = np.arange(len(x)), 1e-5
    ahead, behind = (_outputs(p, output, x + by * towards, rows) for by in (h, -h))
    slope = ((ahead - behind) * weights).sum() / (2 * h)
    return float(abs((np.asarray(output["gradient"], float) * towards).sum() / slope - 1))


def _outputs(p: Layer, output: dict[str, Any], x: Any, rows: Any) -> Any:
    """The layer at `rows` of the tokens x (T, W), from all pairs in float64."""
    qkv, out = np.asarray(p.qkv, float), np.asarray(p.out, float)
    past = np.arange(len(x))[None] <= rows[:, None]
    y = np.zeros((len(rows), x.shape[1]))
    for head in range(HEADS):
        q, k, v = (x @ qkv[head, :, j] for j in range(3))
        if output["kernel"] == "favor":
            K, delta = _favor(np.asarray(output["projection"], float), q[rows], k)
        else:
            K, delta = _kernel(p, output["kernel"], head, q[rows], k, rows), mechanisms.DELTA
        weights = np.where(past, K, 0)
        y += weights @ v / (weights.sum(1, keepdims=True) + delta) @ out[head]
    return y


def _kernel(p: Layer, name: str, head: int, q: Any, k: Any, rows: Any) -> Any:
    """The kernel of the queries at `rows` and all keys."""
    D = q.shape[1]
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
    far = _far_scores(q, k, x) if name == "window_square" else x**2 / C
    return np.where(exact, x**2 / (C - 2 * x), far)


def _far_scores(q: Any, k: Any, x: Any) -> Any:
    """The shifted square, less the products that its budget has no room for."""
    D = q.shape[1]
    scale, shift = theory.far_square(D, SIZES.eps)
    left_out = np.zeros_like(x)
    for lag in range(square_features.lags_within(SIZES.square, D) + 1, D // 2 + 1):
        i = np.arange(D if 2 * lag < D else lag)
        j = (i + lag) % D
        left_out += 2 * (q[:, i] * q[:, j]) @ (k[:, i] * k[:, j]).T
    return scale * ((x + shift) ** 2 - left_out)


def slay_draws(p: Layer) -> tuple[Any, Any, Any]:
    """Anchors a, and w and c of the exponentials e^{w.u + c}, of all heads."""
    product = p.drawn["slay"].args[0].phi_q.args[0]
    return product.poly.directions, product.prf.omega, product.prf.offset


def _favor(W: Any, q: Any, k: Any) -> Any:
    """performer-pytorch's features multiplied, and what it adds to the denominator."""
    D = q.shape[1]

    def phi(u, axis):
        shift = u @ W.T / D**0.25
        exponent = shift - (u**2).sum(1, keepdims=True) / 2 / D**0.5
        return (np.exp(exponent - shift.max(axis=axis, keepdims=True)) + 1e-4) / len(W) ** 0.5

    phi_q = phi(q, 1)
    return phi_q @ phi(k, (0, 1)).T, 1e-6 * phi_q.sum(1, keepdims=True)
