"""Fully connected networks without bias, whole or split at one layer."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from feedrun.models import Model

Activation = Callable[[Array], Array]


class Split(NamedTuple):
    """A network cut at one layer: y = suffix(params, z) with z = W a, W = weight(params).

    prefix(params, x) -> a is the activity that enters the layer; W is (O, I).
    """

    prefix: Callable[[Any, Array], Any]
    weight: Callable[[Any], Any]
    suffix: Callable[[Any, Array], Any]


class _MLP(nn.Module):
    """Dense layers of the given output widths with an activation between them."""

    widths: Sequence[int]
    activation: Activation

    def setup(self):
        init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        self.layers = [nn.Dense(n, use_bias=False, kernel_init=init) for n in self.widths]

    def __call__(self, x):
        return self.suffix(self.layers[0](x), 0)

    def prefix(self, x, layer):
        for dense in self.layers[:layer]:
            x = self.activation(dense(x))
        return x

    def suffix(self, z, layer):
        for dense in self.layers[layer + 1 :]:
            z = dense(self.activation(z))
        return z


def mlp(widths: Sequence[int], *, activation: Activation = nn.relu) -> Model:
    """A network of widths (input, hidden ..., output), weights U(+-1/sqrt(fan_in)) as in PyTorch.

    Weights start in float32; the computation follows the dtype of weights and inputs.
    """
    net = _MLP(_outputs(widths), activation)

    def init(key):
        return net.init(key, jax.numpy.zeros(widths[0], jax.numpy.float32))

    def apply(params, x: Float[Array, "D"]) -> Any:
        return net.apply(params, x)

    return Model(init, apply)


def split(widths: Sequence[int], layer: int, *, activation: Activation = nn.relu) -> Split:
    """The same network cut at its weight matrix number `layer`, counted from 0 at the input."""
    net = _MLP(_outputs(widths), activation)
    if not 0 <= layer < len(widths) - 1:
        raise ValueError(f"layer is {layer}; {len(widths)} widths make layers 0..{len(widths) - 2}")
    return Split(
        prefix=lambda params, x: net.apply(params, x, layer, method="prefix"),
        weight=lambda params: params["params"][f"layers_{layer}"]["kernel"].T,
        suffix=lambda params, z: net.apply(params, z, layer, method="suffix"),
    )


def _outputs(widths: Sequence[int]) -> tuple[int, ...]:
    """The layers' output widths, checked."""
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths must be two or more positive sizes, got {list(widths)}")
    return tuple(widths[1:])
