"""The encoder classifier: padding, order, pairs, equal sizes, draws of its own, low precision."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths.attention import softmax_attention
from feedrun.models.bidirectional import Recurrence
from feedrun.models.classifier import Sizes, classifier
from feedrun.papers.slay.attention.mechanisms import ATTENDS, CONFIGURATIONS

SLOW = pytest.mark.slow
SIZES = Sizes(
    vocabulary=11, classes=3, length=9, layers=1, width=8, qkv=4, heads=2, hidden=6, pool="mean"
)
SMALL = CONFIGURATIONS["table"]._replace(nodes=1, prf=3, poly=4, features=6, chunk=4, longest=9)
ATTENTIONS = ("softmax", "yat", "slay", "window_square", "square", "favor_relu", "favor",
              "cosformer", "elu", "uniform")  # fmt: skip
MECHANISMS = (*ATTENTIONS, "ssd")
TOKENS, LENGTH = jnp.asarray([3, 1, 4, 1, 5, 9, 0, 0, 0], jnp.uint8), jnp.asarray(6)


def built(name="softmax", *, pairs=False, dtype=None, remat=False, **changes):
    """The model with one of the attends, its features in the heads' width."""
    sizes = SIZES._replace(**changes)
    draw = lambda key: ATTENDS[name](key, sizes.qkv // sizes.heads, SMALL)  # noqa: E731
    draw = Recurrence(states=3, chunk=4) if name == "ssd" else draw
    return classifier(sizes, draw, pairs=pairs, dtype=dtype, remat=remat)


@cache
def initial(name="softmax", pairs=False, pool="mean", layers=1):
    """Its params in float64, moved so that none is still the 0 or 1 it may start from."""

    def moved(leaf):
        return leaf + 0.1 * jnp.cos(jnp.arange(leaf.size, dtype=float)).reshape(leaf.shape)

    params = jax.jit(built(name, pairs=pairs, pool=pool, layers=layers).init)(jax.random.key(0))
    return params | {"weights": jax.tree.map(moved, params["weights"])}


@cache
def applied(name, pairs, pool, layers):
    """One compiled function, whatever is asked of it."""
    return jax.jit(built(name, pairs=pairs, pool=pool, layers=layers).apply)


def logits(name, tokens, length, *, pairs=False, pool="mean", layers=1):
    """Those of the moved params."""
    params = initial(name, pairs, pool, layers)
    return applied(name, pairs, pool, layers)(params, tokens, length)


def norm(x, p):
    centred = x - x.mean(axis=-1, keepdims=True)
    return (
        centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6) * p["scale"]
        + p["bias"]
    )


def written_out(params, tokens, attends):
    """The mean-pooled network of an unpadded sequence, head by head and block by block."""
    p = params["weights"]
    with jax.numpy_rank_promotion("allow"):
        e = p["encoder"]
        x = e["tokens"]["embedding"][tokens] + e["positions"][: len(tokens)]
        for layer in range(2):
            b = e[f"block_{layer}"]
            q, k, v = jnp.split(norm(x, b["norm_attend"]) @ b["qkv"]["kernel"], 3, axis=1)
            heads = [attends(layer, h)(q[:, [2 * h, 2 * h + 1]], k[:, [2 * h, 2 * h + 1]],
                     v[:, [2 * h, 2 * h + 1]], causal=False) for h in (0, 1)]  # fmt: skip
            x = x + jnp.concatenate(heads, axis=1) @ b["out"]["kernel"]
            up = norm(x, b["norm_mlp"]) @ b["up"]["kernel"] + b["up"]["bias"]
            x = x + jax.nn.gelu(up) @ b["down"]["kernel"] + b["down"]["bias"]
        x = norm(x, e["norm"]).mean(axis=0)
        x = jax.nn.relu(x @ p["head_0"]["kernel"] + p["head_0"]["bias"])
        return x @ p["logits"]["kernel"] + p["logits"]["bias"]


def test_output_equals_the_written_out_network():
    tokens = TOKENS[:6]
    expected = written_out(initial(layers=2), tokens, lambda layer, head: softmax_attention)
    np.testing.assert_allclose(logits("softmax", tokens, LENGTH, layers=2), expected, rtol=1e-10)


@pytest.mark.slow
def test_every_layer_and_head_has_the_features_that_the_key_draws_for_it():
    def keys():  # as `init` splits them
        return jax.random.split(jax.random.split(jax.random.key(0))[1], (2, 2))

    def attends(layer, head):
        return ATTENDS["slay"](keys()[layer, head], 2, SMALL)

    expected = written_out(initial("slay", layers=2), TOKENS[:6], attends)
    np.testing.assert_allclose(logits("slay", TOKENS[:6], LENGTH, layers=2), expected, rtol=1e-9)
    drawn = [np.asarray(leaf).reshape(4, -1) for leaf in initial("slay", layers=2)["drawn"]]
    differing = [leaf for leaf in drawn if (leaf != leaf[0]).any()]
    assert differing, "anchors and random features; the nodes are the same for all"
    assert all(len(np.unique(leaf, axis=0)) == 4 for leaf in differing)


CLS = [
    ("window_square", "cls"),
    pytest.param("ssd", "cls", marks=SLOW),
    pytest.param("softmax", "cls", marks=SLOW),
]
MASKING = ("softmax", "ssd")
POOLED = [
    *(pytest.param(name, "mean", marks=() if name in MASKING else SLOW) for name in MECHANISMS),
    *CLS,
]


@pytest.mark.parametrize(("name", "pool"), POOLED)
def test_what_stands_in_the_padding_never_matters(name, pool):
    spoilt = TOKENS.at[6:].set(jnp.asarray([7, 8, 10], jnp.uint8))
    one, other = (logits(name, t, LENGTH, pool=pool) for t in (TOKENS, spoilt))
    np.testing.assert_array_equal(one, other)
    assert (logits(name, spoilt, LENGTH + 1, pool=pool) != one).all()


@pytest.mark.parametrize(("name", "pool"), POOLED)
def test_how_much_padding_there_is_does_not_matter(name, pool):
    """cosFormer's M is given: the length at hand, as its authors have it, is padding too."""
    short = logits(name, TOKENS[:6], LENGTH, pool=pool)
    if name == "window_square":  # the last chunk is as far as the sequence goes, padded or not
        short = logits(name, TOKENS[:8], LENGTH, pool=pool)
    np.testing.assert_allclose(short, logits(name, TOKENS, LENGTH, pool=pool), rtol=1e-9)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_parameters_to_train_are_as_many_whatever_attends(name):
    params = jax.eval_shape(built(name).init, jax.eval_shape(jax.random.key, 0))
    reference = jax.eval_shape(built("softmax").init, jax.eval_shape(jax.random.key, 0))
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), params["weights"])
    assert shapes == jax.tree.map(lambda x: (x.shape, x.dtype), reference["weights"])


def test_all_attends_start_from_the_same_weights():
    one, other = (jax.jit(built(n).init)(jax.random.key(3))["weights"] for n in ("slay", "elu"))
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("sizes", [(64, 64, 4, 128), (32, 32, 2, 64)])
def test_a_recurrence_has_as_many_parameters_within_five_percent(sizes):
    width, qkv, heads, hidden = sizes
    like = SIZES._replace(width=width, qkv=qkv, heads=heads, hidden=hidden, length=64, layers=2)
    draws = Recurrence(states=8, chunk=64), lambda key: ATTENDS["softmax"](key, 16, SMALL)
    counts = []
    for draw in draws:
        model = classifier(like, draw, pairs=False)
        params = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0))
        counts.append(sum(leaf.size for leaf in jax.tree.leaves(params["weights"])))
    assert abs(counts[0] / counts[1] - 1) < 0.05


def test_a_recurrence_starts_from_the_same_weights_where_it_has_the_same():
    one, other = (jax.jit(built(n).init)(jax.random.key(3))["weights"] for n in ("ssd", "elu"))
    for weights in (one, other):
        for name in ("both_ways", "qkv", "out"):
            weights["encoder"]["block_0"].pop(name, None)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_a_recurrence_reads_in_order_and_has_no_attention_weights():
    encoder = initial("ssd")["weights"]["encoder"]
    flat = encoder | {"positions": jnp.zeros_like(encoder["positions"])}
    params = initial("ssd") | {"weights": initial("ssd")["weights"] | {"encoder": flat}}
    run = jax.jit(built("ssd").apply)
    swapped = TOKENS[jnp.asarray([1, 0, 2, 3, 4, 5, 6, 7, 8])]
    assert not np.allclose(run(params, TOKENS, LENGTH), run(params, swapped, LENGTH))
    with pytest.raises(ValueError, match="no attention weights"):
        built("ssd").attention(initial("ssd"), TOKENS, LENGTH)


@pytest.mark.parametrize("name", ["softmax", "slay", "uniform"])
def test_a_batch_in_another_order_gives_the_same_logits_in_that_order(name):
    model, params = built(name), initial(name)
    tokens = jnp.stack([TOKENS, TOKENS.at[0].set(8), TOKENS.at[2].set(2)])
    lengths = jnp.asarray([6, 7, 5])
    run = jax.jit(jax.vmap(partial(model.apply, params)))
    order = jnp.asarray([2, 0, 1])
    np.testing.assert_array_equal(run(tokens, lengths)[order], run(tokens[order], lengths[order]))


def test_uniform_attention_without_positions_sees_a_bag_of_tokens():
    params = initial("uniform")
    encoder = params["weights"]["encoder"]
    encoder = encoder | {"positions": jnp.zeros_like(encoder["positions"])}
    params = params | {"weights": params["weights"] | {"encoder": encoder}}
    run = jax.jit(built("uniform").apply)
    shuffled = TOKENS[jnp.asarray([4, 2, 0, 5, 1, 3, 6, 7, 8])]
    np.testing.assert_allclose(
        run(params, TOKENS, LENGTH), run(params, shuffled, LENGTH), rtol=1e-12
    )
    with_positions = (run(initial("uniform"), t, LENGTH) for t in (TOKENS, shuffled))
    assert not np.allclose(*with_positions)


@pytest.mark.parametrize("name", ["softmax", pytest.param("ssd", marks=SLOW)])
def test_a_pair_goes_through_one_encoder_and_its_difference_changes_sign(name):
    pair, lengths = jnp.stack([TOKENS, TOKENS[::-1]]), jnp.asarray([6, 9])
    params = initial(name, True)
    out, swapped = (
        logits(name, *x, pairs=True) for x in ((pair, lengths), (pair[::-1], lengths[::-1]))
    )
    kernel = params["weights"]["head_0"]["kernel"]
    a, b, both, difference = jnp.split(kernel, 4)
    mirrored = params | {
        "weights": params["weights"]
        | {
            "head_0": params["weights"]["head_0"]
            | {"kernel": jnp.concatenate([b, a, both, -difference])}
        }
    }
    model = built(name, pairs=True)
    np.testing.assert_allclose(jax.jit(model.apply)(mirrored, pair, lengths), swapped, rtol=1e-10)
    assert not np.allclose(out, swapped)


@pytest.mark.parametrize("name", ["slay", pytest.param("ssd", marks=SLOW)])
def test_drawn_features_get_no_gradient_and_weights_do(name):
    model = built(name)
    grads = jax.jit(jax.grad(lambda p: model.apply(p, TOKENS, LENGTH).sum()))(initial(name))
    assert all((leaf == 0).all() for leaf in grads["drawn"])
    assert all((jnp.abs(leaf) > 0).any() for leaf in jax.tree.leaves(grads["weights"]))


def test_remat_changes_nothing():
    def gradient(remat):
        model = built("slay", remat=remat)
        return jax.jit(jax.grad(lambda p: model.apply(p, TOKENS, LENGTH).sum()))(initial("slay"))

    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12), *map(gradient, (True, False))
    )


@pytest.mark.parametrize(
    "name", ["slay", *(pytest.param(n, marks=SLOW) for n in ("window_square", "ssd"))]
)
def test_bfloat16_is_close_and_its_logits_and_params_are_float32(name):
    params = jax.tree.map(lambda x: x.astype(jnp.float32), initial(name))
    low, full = (
        jax.jit(built(name, dtype=d).apply)(params, TOKENS, LENGTH) for d in (jnp.bfloat16, None)
    )
    assert low.dtype == full.dtype == jnp.float32
    np.testing.assert_allclose(low, full, atol=0.05)  # 8 bits of mantissa, two blocks
    assert (low != full).any()


def test_dropout_needs_a_key_and_keeps_the_mean():
    model, params = built(drop=0.3), initial()
    still = jax.jit(model.apply)(params, TOKENS, LENGTH)
    np.testing.assert_array_equal(still, logits("softmax", TOKENS, LENGTH))
    keys = jax.random.split(jax.random.key(1), 2)
    one, other = jax.jit(jax.vmap(lambda k: model.apply(params, TOKENS, LENGTH, k)))(keys)
    assert (one != other).all() and (one != still).all()


@pytest.mark.parametrize(
    ("name", "pool", "S"),
    [("softmax", "mean", 9), ("window_square", "cls", 10), ("slay", "mean", 9)],
)
def test_attention_weights_sum_to_one_over_what_is_not_padding(name, pool, S):
    weights = jax.jit(built(name, pool=pool).attention)(initial(name, False, pool), TOKENS, LENGTH)
    assert weights.shape == (1, 2, S, S)
    np.testing.assert_array_equal(weights[..., S - 3 :], 0)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=2e-5)  # the denominator's 1e-6


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="qkv=4 is not a multiple of heads=3"):
        built(heads=3)
    with pytest.raises(ValueError, match="got 10 tokens, the model has 9"):
        built().apply(initial(), jnp.zeros(10, int), LENGTH)
