"""The paper's ablation: one attention layer with tied weights, its output against the exact one.

The published script: embed 64, 4 heads, batch 8, causal, Gaussian input, the same Q, K, V and
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
from feedrun.papers.slay.attention.mechanisms import Sizes
from feedrun.papers.slay.kernel import fidelity

PUBLISHED = {
    "laplace": (0.5870, 0.5417, 0.4850),
    "slay": (0.6626, 0.5667, 0.4939),
    "hadamard": (0.8237, 0.6609, 0.6793),
    "slay_nystroem": (22.9, 61.7, 28.2),
    "slay_tensor_sketch": (4.74e5, 2.14e5, 4.62e5),
    "slay_maclaurin": (2.20e6, 1.72e6, 1.77e6),
}
"""Relative errors in the paper's appendix: small, medium, large; also in published.yaml."""


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


@partial(jax.jit, static_argnames=("tokens", "shape"))
def draw(
    keys: Key[Array, "R"], *, tokens: int, shape: Shape
) -> tuple[Layer, Float[Array, "R B T D"]]:
    """A layer and an input for every seed."""

    def one(key):
        layer_key, input_key = jax.random.split(key)
        x = jax.random.normal(input_key, (shape.batch, tokens, shape.embed))
        return start(layer_key, shape.embed), x

    return jax.vmap(one)(keys)


@partial(jax.jit, static_argnames=("heads", "name", "sizes"))
def outputs(
    key: Key[Array, ""],
    layers: Layer,
    x: Float[Array, "R B T D"],
    *,
    heads: int,
    name: str,
    sizes: Sizes,
) -> Float[Array, "R B T D"]:
    """The output of every seed's layer under one mechanism."""
    keys = jax.random.split(key, (len(x), heads))
    one = partial(apply, name=name, sizes=sizes)
    return jax.lax.map(lambda seed: one(seed[1], seed[0], seed[2]), (keys, layers, x))


def table(
    key: Key[Array, ""],
    names: Sequence[str],
    columns: Sequence[Size],
    shape: Shape,
    *,
    repeats: int,
    journal: Journal,
    progress: fidelity.Progress,
) -> np.ndarray:
    """Relative error and cosine, (column, name, 2, seed); finished numbers are checkpointed."""
    found = np.zeros((len(columns), len(names), 2, repeats))
    done, found = journal.restore(found) or (0, found)
    for i, column in enumerate(columns):
        draw_key, attend_key = jax.random.split(fidelity.own_key(key, column.label))
        data = draw(jax.random.split(draw_key, repeats), tokens=column.tokens, shape=shape)
        run = partial(_output, attend_key, data, heads=shape.heads, sizes=column.sizes)
        truth = run("yat")
        for j, name in enumerate(names):
            step = i * len(names) + j + 1
            if step > done:
                found[i, j] = fidelity.compare(run(name), truth)[:, 0]
                journal.save(step, found, final=step == len(columns) * len(names))
            progress()
    return found


def _output(key, data, name: str, **setting: Any) -> np.ndarray:
    """One mechanism's outputs, with an axis in front as `fidelity.compare` wants it."""
    return np.asarray(outputs(fidelity.own_key(key, name), *data, name=name, **setting))[None]


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
