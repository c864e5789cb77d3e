"""The fully connected network and its cut at a layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.models import mlp

WIDTHS = (12, 9, 7, 4)


def make(dtype=jnp.float64):
    params = mlp.mlp(WIDTHS).init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (12,), dtype)
    return jax.tree.map(lambda leaf: leaf.astype(dtype), params), x


def test_output_equals_the_written_out_network():
    params, x = make()
    kernels = [params["params"][f"layers_{i}"]["kernel"] for i in range(3)]
    expected = jnp.maximum(jnp.maximum(x @ kernels[0], 0) @ kernels[1], 0) @ kernels[2]
    np.testing.assert_allclose(mlp.mlp(WIDTHS).apply(params, x), expected, rtol=1e-10)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_cut_network_put_together_is_the_whole(layer):
    params, x = make()
    net = mlp.split(WIDTHS, layer)
    z = net.weight(params) @ net.prefix(params, x)
    whole = mlp.mlp(WIDTHS).apply(params, x)
    np.testing.assert_allclose(net.suffix(params, z), whole, rtol=1e-10)


def test_weights_start_uniform_within_one_over_root_fan_in():
    params = mlp.mlp((400, 300, 10)).init(jax.random.key(0))
    W = np.asarray(params["params"]["layers_0"]["kernel"]) * 400**0.5
    assert abs(W).max() <= 1
    assert abs(W.mean()) < 4 * (1 / 3 / W.size) ** 0.5
    assert abs((W**2).mean() - 1 / 3) < 4 * (4 / 45 / W.size) ** 0.5


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_computation_follows_the_dtype_of_weights_and_inputs(dtype):
    params, x = make(dtype)
    assert mlp.mlp(WIDTHS).apply(params, x).dtype == dtype


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"layers 0..2"):
        mlp.split(WIDTHS, 3)


def test_widths_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        mlp.mlp((5, 0, 2))
