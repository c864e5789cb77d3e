"""The loop against a written-out one, resumed, repeated, spread and broken."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from feedrun import train
from feedrun.experiment import silent_journal
from feedrun.models.transformer import transformer
from feedrun.train import loop
from tests import children

ADAM: Any = optax.adam(0.05)
CHUNK: Any = loop._chunk
TRUTH = np.array([1.0, -2.0, 0.5])
X = np.random.default_rng(0).standard_normal((40, 3))
DATA = (X, X @ TRUTH + 0.1 * np.random.default_rng(1).standard_normal(40))


def loss(params, batch, key):
    """Least squares under input noise: it uses params, batch and key."""
    x, y = batch
    error = (x + 0.1 * jax.random.normal(key, x.shape, x.dtype)) @ params["w"] - y
    return (error**2).mean(), {"mae": abs(error).mean()}


def start(*lead, dtype=jnp.float64):
    return {"w": jnp.zeros((*lead, 3), dtype)}


def fit(key: Any = 0, params=None, loss=loss, stream=None, optimizer=ADAM, *, steps=23, **kwargs):
    """A small training; returns (params, rows)."""
    rows = []
    kwargs.setdefault("log_every", 5)
    kwargs.setdefault("journal", silent_journal(lambda step, row: rows.append((step, row))))
    params = train.fit(
        jax.random.key(key) if isinstance(key, int) else key,
        start() if params is None else params,
        loss,
        stream or train.shuffled(DATA, 8),
        optimizer,
        steps=steps,
        **kwargs,
    )
    return params, rows


def keeping(store, *, die_at=None):
    """A journal with its rows and checkpoints in a dict, that may die while it logs."""

    def log(step, row):
        if step == die_at:
            raise KeyboardInterrupt
        store.setdefault("rows", {})[step] = row

    def save(step, state, final=False):
        store["saved"] = (step, jax.device_get(state))

    return silent_journal(log)._replace(save=save, restore=lambda like: store.get("saved"))


def by_hand(key, params, stream, *, steps):
    """The same training step by step in Python; returns (params, losses)."""
    data_key, loss_key = jax.random.split(key)
    plan, state, losses = stream.plan(data_key, 0, length=steps), ADAM.init(params), []
    gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))
    for k in range(steps):
        batch = stream.batch(stream.data, jax.tree.map(lambda leaf: leaf[k], plan))
        step_key = jax.random.fold_in(jax.random.clone(loss_key), k)
        (value, _), grads = gradient(params, batch, step_key)
        updates, state = ADAM.update(grads, state, params)
        params, losses = optax.apply_updates(params, updates), [*losses, float(value)]
    return params, losses


def same(a, b, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


def test_fit_equals_the_written_out_loop():
    stream = train.shuffled(jax.tree.map(jnp.asarray, DATA), 8)
    params, rows = fit(stream=stream)
    expected, losses = by_hand(jax.random.key(0), start(), stream, steps=23)
    same(params, expected, rtol=1e-10)
    assert [step for step, _ in rows] == [5, 10, 15, 20, 23]
    chunks = [losses[a:b] for a, b in [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]]
    same([row["train/loss"] for _, row in rows], [np.mean(c) for c in chunks], rtol=1e-10)
    assert all(set(row) == {"train/loss", "train/mae"} for _, row in rows)


def test_generated_batches_depend_on_the_step_alone():
    stream = train.generated(lambda key: jax.random.normal(key, (4,)))
    key = jax.random.key(3)
    whole = stream.plan(key, 0, length=9)
    part = stream.plan(jax.random.clone(key), 4, length=5)
    batches = [np.asarray(stream.batch((), k)) for k in whole]
    same([stream.batch((), k) for k in part], batches[4:], rtol=0)
    assert len({b.tobytes() for b in batches}) == 9


@pytest.mark.parametrize("size, batch_size", [(12, 3), (13, 3), (5, 5)])
def test_epochs_visit_every_example_once(size, batch_size):
    per_epoch = size // batch_size
    plan = jax.jit(train.shuffled(np.arange(size), batch_size).plan, static_argnames="length")
    key = jax.random.key(0)
    rows = np.asarray(plan(key, 0, length=4 * per_epoch))
    epochs = rows.reshape(4, -1)
    assert all(len(set(epoch)) == per_epoch * batch_size for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4
    for first in range(2 * per_epoch):
        again = plan(jax.random.clone(key), first, length=per_epoch + 1)
        np.testing.assert_array_equal(again, rows[first : first + per_epoch + 1])


@pytest.mark.parametrize("die_at", [5, 10, 15, 20, 23])
def test_a_run_killed_anywhere_resumes_bit_identically(die_at):
    whole, store = {}, {}
    expected, _ = fit(journal=keeping(whole))
    with pytest.raises(KeyboardInterrupt):
        fit(journal=keeping(store, die_at=die_at))
    assert store.get("saved", (0,))[0] == (20 if die_at == 23 else die_at - 5)
    params, _ = fit(journal=keeping(store))
    same(params, expected, rtol=0)
    assert store["rows"] == whole["rows"] and store["saved"][0] == 23


def test_a_finished_run_trains_no_further():
    store = {}
    expected, _ = fit(journal=keeping(store))
    params, _ = fit(journal=keeping(store, die_at=23))
    same(params, expected, rtol=0)
    with pytest.raises(ValueError, match="23 steps, more than the 20"):
        fit(journal=keeping(store), steps=20)


def breaks(params, batch, key):
    """Least squares whose second metric turns infinite once params grow past a threshold."""
    value, metrics = loss(params, batch, key)
    return value, metrics | {"inverse": jnp.where(params["w"].max() > 0.45, jnp.inf, 1.0)}


def test_a_non_finite_metric_stops_with_name_and_step_and_keeps_nothing_of_it():
    store = {}
    with pytest.raises(FloatingPointError, match=r"train/inverse is inf at step \d+") as stop:
        fit(loss=breaks, steps=50, journal=keeping(store))
    step = int(str(stop.value).split()[-1])
    assert step // 5 * 5 == store["saved"][0] == max(store["rows"])
    with pytest.raises(FloatingPointError, match=rf"at step {step}$"):
        fit(loss=breaks, steps=50, journal=keeping({}), log_every=1)


def test_a_diverging_loss_stops():
    with pytest.raises(FloatingPointError, match=r"train/\w+ is (nan|inf|not finite) at step"):
        fit(optimizer=optax.sgd(1e30), steps=50)


def test_params_lost_in_the_last_step_are_not_saved():
    store = {}
    spoil = optax.stateless(lambda updates, _: jax.tree.map(lambda u: u * jnp.nan, updates))
    with pytest.raises(FloatingPointError, match="train/params is not finite at step 0"):
        fit(optimizer=spoil, log_every=1, journal=keeping(store))
    assert not store


def test_a_repeat_that_breaks_is_named():
    keys, params = jax.random.split(jax.random.key(0), 3), start(3)
    params["w"] = params["w"].at[2].set(1.0)
    with pytest.raises(FloatingPointError, match="train/inverse is inf at step 0, repeat 2"):
        fit(keys, params, breaks, repeats=3)


@pytest.mark.parametrize("batching", ["map", "vmap"])
def test_repeats_equal_solo_runs(batching):
    keys = jax.random.split(jax.random.key(7), 3)
    evaluate = lambda p: {"eval/norm": jnp.linalg.norm(p["w"], axis=-1)}  # noqa: E731
    params, rows = fit(keys, start(3), repeats=3, batching=batching, evaluate=evaluate)
    for r, key in enumerate(keys):
        alone, alone_rows = fit(key, evaluate=evaluate)
        # The same sums in another order, over 23 steps in float64.
        same(params["w"][r], alone["w"], rtol=1e-9)
        for (step, row), (alone_step, alone_row) in zip(rows, alone_rows, strict=True):
            assert step == alone_step
            same({name: values[r] for name, values in row.items()}, alone_row, rtol=1e-9)


NET = transformer(vocabulary=8, length=12, width=16, heads=2, layers=2)
TOKENS = train.generated(lambda key: jax.random.randint(key, (4, 12), 0, 8))


def next_token(params, tokens, key):
    logits = jax.vmap(lambda x: NET.apply(params, x))(tokens)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])
    return losses.mean(), {}


@pytest.mark.parametrize("batching", ["map", "vmap"])
def test_a_transformers_seed_in_a_batch_has_the_curve_of_that_seed_alone(batching):
    def curve(key, params, **kwargs):
        _, rows = fit(key, params, next_token, TOKENS, steps=20, log_every=1, **kwargs)
        return np.asarray([row["train/loss"] for _, row in rows])

    # jax's check takes any vmapped scan over keys for a second use of them.
    with jax.debug_key_reuse(False):
        keys = jax.random.split(jax.random.key(3), 2)
        params = jax.jit(jax.vmap(NET.init))(keys)
        together = curve(keys, params, repeats=2, batching=batching)
        alone = [
            curve(key, jax.tree.map(lambda leaf: leaf[r], params)) for r, key in enumerate(keys)
        ]
    # The same float32 sums in another order: a rounding (1e-7) at first, more as Adam goes on.
    same(together[:3], np.transpose(alone)[:3], rtol=5e-7)
    same(together, np.transpose(alone), rtol=5e-6)


def test_evaluate_joins_the_row_and_must_be_finite():
    _, rows = fit(evaluate=lambda p: {"eval/w": p["w"]})
    assert rows[-1][1].keys() == {"train/loss", "train/mae", "eval/w"}
    assert isinstance(rows[-1][1]["eval/w"], list)
    with pytest.raises(FloatingPointError, match="eval/w is nan after step 5"):
        fit(evaluate=lambda p: {"eval/w": jnp.nan})


def test_other_numbers_compile_nothing():
    optimizer = optax.inject_hyperparams(optax.sgd)(0.01)
    CHUNK.clear_cache()
    first, _ = fit(0, optimizer=optimizer)
    assert CHUNK._cache_size() == 2  # a full chunk and the shorter last one
    slow, _ = fit(1, optimizer=train.tuned(optimizer, learning_rate=0.001))
    fit(2, stream=train.shuffled((DATA[0] + 1, DATA[1]), 8), optimizer=optimizer, steps=20)
    assert CHUNK._cache_size() == 2
    assert np.linalg.norm(slow["w"]) < np.linalg.norm(first["w"])


def test_tuned_reaches_into_a_chain_and_refuses_unknown_names():
    chain = optax.chain(optax.clip(1.0), optax.inject_hyperparams(optax.sgd)(0.01))
    still, _ = fit(optimizer=train.tuned(chain, learning_rate=0.0))
    assert float(jnp.abs(still["w"]).max()) == 0.0
    with pytest.raises(KeyError, match="rate"):
        fit(optimizer=train.tuned(chain, rate=0.1))


def test_weakly_typed_and_shared_params_are_copied_and_left_intact():
    shared = jnp.ones(3)
    params = {"w": shared, "again": shared, "scale": 1.0}
    CHUNK.clear_cache()
    fit(0, params, lambda p, batch, key: loss({"w": p["scale"] * p["again"]}, batch, key), steps=10)
    assert CHUNK._cache_size() == 1
    assert float(shared.sum()) == 3.0


def test_linear_regression_reaches_the_closed_form():
    clean = lambda p, batch, key: (((batch[0] @ p["w"] - batch[1]) ** 2).mean(), {})  # noqa: E731
    params, rows = fit(loss=clean, stream=train.shuffled(DATA, 40), steps=400, log_every=100,
                       optimizer=optax.sgd(0.2))  # fmt: skip
    closed, residual, *_ = np.linalg.lstsq(*DATA)
    np.testing.assert_allclose(params["w"], closed, rtol=1e-9)
    np.testing.assert_allclose(rows[-1][1]["train/loss"], residual[0] / 40, rtol=1e-9)


def test_float32_stays_float32():
    single = jax.tree.map(lambda a: a.astype(np.float32), DATA)
    stream = train.shuffled(single, 8)
    optimizer = optax.inject_hyperparams(optax.adam)(0.05)
    params, _ = fit(params=start(dtype=jnp.float32), stream=stream, optimizer=optimizer)
    assert params["w"].dtype == jnp.float32


@pytest.mark.parametrize(
    "message, change",
    [
        ("steps and log_every must be 1 or more, got 0", {"steps": 0}),
        ("steps and log_every", {"log_every": 0}),
        ("one training takes one key", {"key": jax.random.split(jax.random.key(0))}),
        ("repeats=2 needs as many keys", {"repeats": 2}),
        ("repeats must be 1 or more", {"repeats": 0}),
        ("leading axis of repeats=3", {"repeats": 3, "key": jax.random.split(jax.random.key(0), 3),
                                       "params": {"w": jnp.zeros((2, 3))}}),
        ("there are no repeats", {"batching": "vmap"}),
        ('may not be called "loss"', {"loss": lambda p, b, k: (p["w"].sum(), {"loss": 1.0})}),
        ("metrics must be scalars", {"loss": lambda p, b, k: (p["w"].sum(), {"w": p["w"]})}),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(message, change):
    with pytest.raises(ValueError, match=message):
        fit(**change)


@pytest.mark.parametrize("data, batch_size", [(DATA, 41), (DATA, 0), ((X, X[:3]), 2)])
def test_impossible_batches_are_refused(data, batch_size):
    with pytest.raises(ValueError, match=r"1\.\.40 \(the data\)|leading axis"):
        train.shuffled(data, batch_size)


ON_TWO_DEVICES = """
import json, jax, numpy as np
jax.config.update("jax_enable_x64", True)
from feedrun import train
from tests.train.test_loop import ADAM, fit, start

where = set()
def seen(params):
    where.add(str([*params["w"].sharding.spec]) + f" over {len(params['w'].sharding.device_set)}")
    return {}
keys = jax.random.split(jax.random.key(7), 4)
spread, _ = fit(keys, start(4), repeats=4, evaluate=seen)
solo, curve = fit(0)
split, split_curve = fit(0, devices=jax.devices(), evaluate=seen)
uneven = [fit(keys[:3], start(3), repeats=3, batching=batching, devices=jax.devices(),
    evaluate=seen)[0]["w"].tolist() for batching in ("map", "vmap")]
try: fit(0, devices=jax.devices(), stream=train.shuffled(np.ones((40, 3)), 5))
except ValueError as error: refused = str(error)
print(json.dumps({"where": sorted(where), "spread": spread["w"].tolist(), "refused": refused,
    "uneven": uneven,
    "curves": [curve, split_curve], "end": [solo["w"].tolist(), split["w"].tolist()]}))
"""


@pytest.fixture(scope="module")
def two_devices():
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"}
    root = Path(__file__).parents[2]
    done = children.run([sys.executable, "-c", ON_TWO_DEVICES], root, environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_split_batch_gives_the_same_curve(two_devices):
    solo, split = two_devices["curves"]
    for (step, row), (split_step, split_row) in zip(solo, split, strict=True):
        assert step == split_step
        same(row, split_row, rtol=1e-9)  # the mean over the batch is summed in two halves
    same(*two_devices["end"], rtol=1e-9)
    assert "a batch of sizes [5]" in two_devices["refused"]


def test_repeats_spread_over_both_devices_equal_those_on_one(two_devices):
    keys = jax.random.split(jax.random.key(7), 4)
    expected, _ = fit(keys, start(4), repeats=4)
    same(two_devices["spread"], expected["w"].tolist(), rtol=1e-9)
    for uneven in two_devices["uneven"]:  # three cannot be spread: their batches are split
        same(uneven, expected["w"][:3].tolist(), rtol=1e-9)
    assert two_devices["where"] == ["['split'] over 2", "[] over 2"]
