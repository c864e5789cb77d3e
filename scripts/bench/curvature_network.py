"""The network of the curvature cases, a sample's loss, and an independent C, H and E[h^2]."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

WIDTHS = (784, 50, 50, 10)
P = WIDTHS[1] * WIDTHS[2]
COLUMNS = 100
"""Directions V, and columns of the matrix-free contestant."""


class Problem(NamedTuple):
    """Three weight matrices, samples (B, 784) with labels, and directions V (P, COLUMNS)."""

    weights: tuple[Any, Any, Any]
    x: Any
    y: Any
    V: Any


def problem(seed: int, *, samples: int, dtype: str) -> Problem:
    """Random weights of unit gain, random inputs, labels and directions."""
    rng = np.random.default_rng(seed)
    pairs = zip(WIDTHS[1:], WIDTHS[:-1], strict=True)
    weights = tuple(rng.standard_normal(pair) * (2 / pair[1]) ** 0.5 for pair in pairs)
    x, V = rng.standard_normal((samples, WIDTHS[0])), rng.standard_normal((P, COLUMNS))
    y = rng.integers(0, WIDTHS[-1], samples)
    weights, x, V = jax.tree.map(lambda a: jnp.asarray(a, dtype), (weights, x, V))
    return Problem(weights, x, jnp.asarray(y, jnp.int32), V)


def cross_entropy(logits, y):
    """Of one sample: logits (C,) and a label."""
    return jax.nn.logsumexp(logits) - logits[y]


def sample_loss(W, last, a, y):
    """One sample's loss as a function of the layer's weights alone, flattened."""
    return cross_entropy(last @ jax.nn.relu(W.reshape(last.shape[1], -1) @ a), y)


def reference(p: Problem, samples: int, probes: np.ndarray) -> dict[str, np.ndarray]:
    """C V, H V and E2 V in float64, from gradients and Hessian-vector products of one sample."""
    with jax.enable_x64(True):
        first, W, last = (jnp.asarray(np.asarray(w), float) for w in p.weights)
        a = jax.nn.relu(jnp.asarray(np.asarray(p.x[:samples]), float) @ first.T)
        y, V, W = jnp.asarray(np.asarray(p.y[:samples])), jnp.asarray(probes), W.reshape(-1)

        def one(ay):
            gradient = jax.grad(lambda W: sample_loss(W, last, *ay))
            hvp = jax.vmap(lambda v: jax.jvp(gradient, (W,), (v,))[1], 1, 1)
            return gradient(W), hvp(V), hvp(hvp(V))

        g, hV, h2V = jax.jit(lambda: jax.lax.map(one, (a, y), batch_size=64))()
        mean = g.mean(0)
        C = g.T @ (g @ V) / samples - jnp.outer(mean, mean @ V)
        return {"C": np.asarray(C), "H": np.asarray(hV.mean(0)), "E2": np.asarray(h2V.mean(0))}
