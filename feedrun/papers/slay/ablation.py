"""The paper's ablation: one attention layer with tied weights, its output against the exact one.

Specification section 4.2: embed 64, 4 heads, batch 8, causal, Gaussian input, the same Q, K, V and
output maps (PyTorch's default start, with biases) under every mechanism. Published: one seed.
Here features are drawn for each head, where the published code shares anchors among them.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.experiment import Journal
from feedrun.papers.slay import fidelity
from feedrun.papers.slay.attends import Sizes


class Shape(NamedTuple):
    """What the layer is, apart from its length."""

    embed: int
    heads: int
    batch: int


class Size(NamedTuple):
    """One column of the table."""

    label: str
    tokens: int
    sizes: Sizes


class Layer(NamedTuple):
    """Q, K, V and output maps, drawn from U(-embed^{-1/2}, embed^{-1/2}), biases too."""

    weights: Float[Array, "4 D D"]
    biases: Float[Array, "4 D"]


def start(key: Key[Array, ""], embed: int) -> Layer:
    """PyTorch's default start of four linear maps."""
    weight_key, bias_key = jax.random.split(key)
    bound = embed**-0.5
    weights = jax.random.uniform(weight_key, (4, embed, embed), minval=-bound, maxval=bound)
    return Layer(weights, jax.random.uniform(bias_key, (4, embed), minval=-bound, maxval=bound))


def apply(
    layer: Layer, keys: Key[Array, "H"], x: Float[Array, "B T D"], *, name: str, sizes: Sizes
) -> Float[Array, "B T D"]:
    """The layer with one mechanism, whose heads draw from `keys`."""
    q, k, v = (_linear(layer, i, x).reshape(*x.shape[:2], len(keys), -1) for i in range(3))

    def head(key, q, k, v):  # the same features for the whole batch
        return jax.vmap(lambda q, k, v: fidelity.attention(name, key, sizes, q, k, v))(q, k, v)

    out = jax.vmap(head, (0, 2, 2, 2), 2)(keys, q, k, v)
    return _linear(layer, 3, out.reshape(x.shape))


def _linear(layer: Layer, i: int, x: Any) -> Any:
    return x @ layer.weights[i] + layer.biases[i][None, None]


@partial(jax.jit, static_argnames=("name", "tokens", "sizes", "shape"))
def outputs(
    keys: Key[Array, "R"], *, name: str, tokens: int, sizes: Sizes, shape: Shape
) -> Float[Array, "R B T D"]:
    """The layer's output for every seed: layers and inputs depend on the seeds alone."""

    def one(key):
        layer_key, input_key, draw_key = jax.random.split(key, 3)
        x = jax.random.normal(input_key, (shape.batch, tokens, shape.embed))
        head_keys = jax.random.split(draw_key, shape.heads)
        return apply(start(layer_key, shape.embed), head_keys, x, name=name, sizes=sizes)

    return jax.lax.map(one, keys)


def table(
    key: Key[Array, ""],
    names: Sequence[str],
    columns: Sequence[Size],
    shape: Shape,
    *,
    repeats: int,
    journal: Journal,
) -> np.ndarray:
    """Relative error and cosine, (column, name, 2, seed)."""
    found = np.zeros((len(columns), len(names), 2, repeats))
    total = len(columns) * len(names)
    done, found = journal.restore(found) or (0, found)
    for i, (column, own_key) in enumerate(
        zip(columns, jax.random.split(key, len(columns)), strict=True)
    ):
        if done >= (i + 1) * len(names):
            continue
        setting = {"tokens": column.tokens, "sizes": column.sizes, "shape": shape}
        keys = jax.random.split(own_key, repeats)
        truth = np.asarray(outputs(keys, name="yat", **setting))[None]
        for j, name in enumerate(names):
            step = i * len(names) + j + 1
            if step <= done:
                continue
            out = np.asarray(outputs(keys, name=name, **setting))[None]
            found[i, j] = fidelity.compare(out, truth)[:, 0]
            journal.save(step, found, final=step == total)
            journal.progress(step, total)
    return found


def summary(
    found: np.ndarray, names: Sequence[str], columns: Sequence[Size]
) -> dict[str, list[float]]:
    """ablation_SIZE_NAME, the cosine, and the difference of SLAY from uniform attention."""
    result = {}
    for i, column in enumerate(columns):
        start = f"ablation_{column.label}"
        for j, name in enumerate(names):
            result[f"{start}_{name}"] = found[i, j, 0].tolist()
            result[f"{start}_{name}_cosine"] = found[i, j, 1].tolist()
        if {"slay", "uniform"} <= set(names):
            slay, uniform = (found[i, list(names).index(name), 0] for name in ("slay", "uniform"))
            result[f"{start}_slay_less_uniform"] = (slay - uniform).tolist()
    return result
