"""The recurrence that takes the place of attention: two directions, nothing behind the length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.models.bidirectional import BothWays, Recurrence, backwards, matched, state
from feedrun.models.recurrent import SSD

SMALL = Recurrence(states=3, chunk=4)


def test_turning_round_is_its_own_inverse_and_leaves_what_stands_behind():
    order = backwards(7, jnp.asarray(4))
    np.testing.assert_array_equal(order[:4], [3, 2, 1, 0])
    assert set(np.asarray(order[4:])) == {4, 5, 6}
    np.testing.assert_array_equal(order[order], np.arange(7))


@pytest.mark.parametrize("length", [1, 5, 9])
def test_it_is_the_mixer_on_the_sequence_and_on_its_mirror_image(length):
    """Against Mamba-2's own mixer, run on the unpadded sequence and on the reversed one."""
    both = BothWays(SMALL, inner=6, heads=2)
    x = jax.random.normal(jax.random.key(1), (9, 5))
    params = both.init(jax.random.key(0), x, jnp.asarray(length))
    one = SSD(6, 2, 3, "selective", conv=True, chunk=4, streaming=False)
    ahead, behind = (
        {"params": jax.tree.map(lambda leaf, way=way: leaf[way], params["params"]["directions"])}
        for way in (0, 1)
    )
    run = jax.jit(one.apply)
    expected = run(ahead, x[:length]) + run(behind, x[:length][::-1])[::-1]
    assert not np.allclose(run(ahead, x[:length]), run(behind, x[:length])), "weights of their own"
    found = jax.jit(both.apply)(params, x, jnp.asarray(length))[:length]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("sizes", [(64, 4, 64, 8), (32, 2, 32, 8), (128, 4, 128, 32)])
def test_it_has_about_as_many_parameters_as_attention(sizes):
    width, heads, qkv, states = sizes
    recurrence = Recurrence(states, 64)
    inner = matched(recurrence, width, heads, qkv)
    assert inner % heads == 0
    x = jax.ShapeDtypeStruct((2, width), jnp.float32)
    shapes = jax.eval_shape(
        BothWays(recurrence, inner, heads).init, jax.random.key(0), x, jnp.asarray(2)
    )
    found = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    assert abs(found / (4 * width * qkv) - 1) < 0.1
    assert state(recurrence, width, heads, qkv) == 2 * (inner * states + 3 * (inner + 2 * states))
