"""One layer of one trained network, measured in float64: matrices, projections, alignment."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from feedrun.maths import curvature
from feedrun.models import mlp
from feedrun.papers.noise_curvature import theory


class Layer(NamedTuple):
    """Jitted measurements of one layer under `loss`; `xs` is (activities a (B, I), labels y (B,)).

    activities(params, x, y) -> (a, loss (B,), correct (B,)) for inputs x (B, D) and labels y
    moments(params, xs) -> Moments;  projections(params, xs, V) -> Projections (B, K)
    fisher(params, xs, V) -> diagonal (K,) of the Fisher matrix;  spectra(params, xs) -> (B, O)
    """

    loss: theory.Loss
    activities: Callable[..., Any]
    moments: Callable[..., curvature.Moments]
    projections: Callable[..., curvature.Projections]
    fisher: Callable[..., Any]
    spectra: Callable[..., Any]


def mlp_layer(widths: Sequence[int], *, layer: int, loss: theory.Loss, chunk: int) -> Layer:
    """The measurements of weight matrix number `layer` of an MLP trained with `loss`."""
    net = mlp.split(widths, layer)

    def factors(params):
        def sample(ay):
            a, y = ay
            of_z = lambda z: loss.value(net.suffix(params, z), y)  # noqa: E731
            return curvature.layer_factors(of_z, net.weight(params), a)

        return sample

    def activities(params, x, y):
        a = jax.vmap(lambda x: net.prefix(params, x))(x)
        logits = jax.vmap(lambda a: net.suffix(params, net.weight(params) @ a))(a)
        return a, jax.vmap(loss.value)(logits, y), logits.argmax(-1) == y

    def moments(params, xs):
        return curvature.moments(factors(params), xs, chunk=chunk)

    def projections(params, xs, V):
        return curvature.projections(factors(params), xs, V, chunk=chunk)

    def fisher(params, xs, V):
        W, suffix = net.weight(params), lambda z: net.suffix(params, z)

        def sample(ay):
            a, _ = ay
            z = W @ a
            return curvature.Factors(a, jnp.zeros_like(z), theory.fisher_factor(suffix, z))

        return curvature.projections(sample, xs, V, chunk=chunk).h.mean(0)

    def spectra(params, xs):
        one = lambda ay: curvature.spectrum(factors(params)(ay))  # noqa: E731
        return jax.lax.map(one, xs, batch_size=chunk)

    return Layer(loss, *map(jax.jit, (activities, moments, projections, fisher, spectra)))


def float64(tree: Any) -> Any:
    """Params or inputs in float64: a law over ten decades of curvature does not survive float32."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tree)
