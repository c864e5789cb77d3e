"""What all arms share: causality, streaming, matched sizes; and the names there are."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.models import arms

SIZES = arms.Sizes(width=8, inner=12, layers=1, heads=2, states=4, length=16, chunk=4)
SMALL = arms.Sizes(width=32, inner=64, layers=2, heads=4, states=16, length=64, chunk=32)
NAMES = (
    *arms.MIXERS,
    *("mamba1+conv", "ssd+conv", "s4d+conv", "gru+conv", "lstm+conv"),
    *("softmax+learned", "softmax+conv+rope", "softmax+alibi", "linear+conv+rope"),
)
T, CUT = 11, 6  # two whole chunks and part of a third; the cut lies within one


@functools.cache
def made(name):
    """(arm, random weights in float64, apply, x)."""
    arm = arms.build(name, SIZES, features=3, outputs=2)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(arm.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.asarray(0.5 * rng.standard_normal(leaf.shape)), shapes)
    return arm, params, jax.jit(arm.apply), jnp.asarray(rng.standard_normal((T, 3)))


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_later_changes_nothing_before_and_all_after(name):
    _, params, apply, x = made(name)
    y, other = apply(params, x), apply(params, x.at[CUT:].multiply(-2.0))
    np.testing.assert_array_equal(y[:CUT], other[:CUT])
    assert (y[CUT:] != other[CUT:]).all()


@pytest.mark.parametrize("name", NAMES)
def test_step_by_step_it_says_the_same_as_at_once(name):
    arm, params, apply, x = made(name)
    start = jax.tree.map(
        lambda leaf: leaf.astype({"f": float, "c": complex}.get(leaf.dtype.kind, leaf.dtype)),
        arm.start(),
    )
    _, y = jax.jit(lambda: jax.lax.scan(lambda s, x: arm.step(params, s, x), start, x))()
    assert y.dtype == jnp.float64
    np.testing.assert_allclose(y, apply(params, x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["ssd+conv", "mamba1", "s4d", "gru", "softmax+rope"])
def test_float32_weights_compute_in_float32(name):
    arm, params, apply, x = made(name)
    params, x = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (params, x))
    assert apply(params, x).dtype == jnp.float32
    assert {
        leaf.dtype for leaf in jax.tree.leaves(jax.eval_shape(arm.init, jax.random.key(0)))
    } == {jnp.dtype(jnp.float32)}


def test_hidden_is_the_residual_stream_of_every_block():
    arm, params, apply, x = made("ssd")
    hidden = arm.hidden(params, x)
    assert hidden.shape == (T, 8)
    p = params["params"]
    h = hidden
    normed = h / jnp.sqrt((h**2).mean(axis=1, keepdims=True) + 1e-6) * p["norm"]["scale"][None]
    y = normed @ p["readout"]["kernel"] + p["readout"]["bias"][None]
    np.testing.assert_allclose(y, apply(params, x), rtol=1e-9)


def test_the_small_ssd_has_as_many_parameters_as_counted_by_hand():
    """Section 4.6: 15.9 k with the two inputs of LG4; section 4.1: 9 920 a Mamba-1 block."""
    assert arms.num_parameters(arms.build("ssd+conv", SMALL, features=2, outputs=1)) == 15_929
    D, E, N, rank = 32, 64, 16, 2
    block = 2 * D * E + 4 * E + E + E * (rank + 2 * N) + rank * E + E + E * N + E + E * D
    frame = (2 * D + D) + D + (D + 1)
    mamba = arms.build("mamba1+conv", SMALL, features=2, outputs=1)
    assert block == 9_920
    assert arms.num_parameters(mamba) == 2 * (block + D) + frame


@pytest.mark.parametrize("name", NAMES)
def test_every_arm_can_be_matched_within_five_percent(name):
    sizes = arms.matched(name, SMALL, parameters=15_929, features=2, outputs=1)
    found = arms.num_parameters(arms.build(name, sizes, features=2, outputs=1))
    assert abs(found / 15_929 - 1) <= 0.05
    unit = 4 if name.split("+")[0] in arms.DECAYS else 1
    for other in (sizes.inner - unit, sizes.inner + unit):  # and no other is nearer
        arm = arms.build(name, sizes._replace(inner=other), features=2, outputs=1)
        assert abs(arms.num_parameters(arm) - 15_929) >= abs(found - 15_929)


def test_a_number_of_parameters_that_cannot_be_had_is_refused():
    with pytest.raises(ValueError, match=r"softmax has \d+ parameters at inner 1, not 3000"):
        arms.matched("softmax", SMALL, parameters=3000, features=2, outputs=1)


def test_state_sizes_are_those_counted_by_hand():
    """E N a layer, complex pairs as two numbers; 3 inputs of a convolution; keys and values."""
    build = functools.partial(arms.build, sizes=SMALL, features=2, outputs=1)
    expected = {
        "ssd": 2 * 64 * 16,
        "s4d": 2 * 64 * 16,
        "mamba1+conv": 2 * (64 * 16 + 3 * 64),
        "softmax": 2 * 2 * 64 * 32,
        "linear": 2 * 4 * 8 * 8,
        "lstm": 2 * 2 * 64,
    }
    assert {name: arms.state_size(build(name)) for name in expected} == expected


def test_a_step_costs_two_operations_a_weight_and_more():
    arm = arms.build("gru", SMALL, features=2, outputs=1)
    weights = sum(
        leaf.size
        for leaf in jax.tree.leaves(jax.eval_shape(arm.init, jax.random.key(0)))
        if leaf.ndim > 1
    )
    assert 2 * weights < arms.step_flops(arm, features=2) < 2.2 * weights


def test_only_matrices_are_decayed():
    for name in ("mamba1+conv", "ssd+conv", "s4d", "lstm", "softmax+learned"):
        params = made(name)[1]
        mask = arms.decayed(params)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            at = functools.reduce(lambda tree, key: tree[key.key], path, mask)
            assert at == (path[-1].key == "kernel")
            assert leaf.ndim == 2 or not at


@pytest.mark.parametrize(
    ("name", "sizes", "complaint"),
    [
        ("mamba3", {}, "no mixer 'mamba3' .*; there are mamba1, ssd"),
        ("ssd+cnov", {}, "no option 'cnov'"),
        ("gru+rope", {}, "only attention has positions, gru does not"),
        ("softmax+rope+learned", {}, "one kind of position at most, got learned, rope"),
        ("linear+alibi", {}, "ALiBi is a bias in the softmax"),
        ("ssd", {"inner": 13}, "inner 13 is not a multiple of heads 2"),
        ("softmax", {"width": 9}, "width 9 is not a multiple of heads 2"),
        ("s4d", {"states": 3}, "complex poles come in pairs"),
    ],
)
def test_an_arm_that_there_is_not_is_refused(name, sizes, complaint):
    with pytest.raises(ValueError, match=complaint):
        arms.build(name, SIZES._replace(**sizes), features=3, outputs=2)


def test_learned_positions_end_and_say_so():
    arm, params, _, _ = made("softmax+learned")
    with pytest.raises(ValueError, match=r"got 17 elements, softmax\+learned has 16 positions"):
        arm.apply(params, jnp.zeros((17, 3)))
