"""The shared AdamW: bit for bit optax's own, its shapes, and its rate as a number of the state."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from feedrun import train
from feedrun.experiment import silent_journal
from feedrun.train.optim import adamw_cosine, optax_cosine, warm_cosine
from feedrun.train.streams import Stream, step_keys

STEPS, RATE = 20, 3e-3
ONLY = {"net": True, "drawn": False}


def plain():
    """AdamW on "net" alone, without a shape."""
    return optax.masked(optax.adamw(RATE, weight_decay=0.01), ONLY)


def shaped_after():
    """The rate first, then optax's cosine; gradients clipped."""
    shape = optax.warmup_cosine_decay_schedule(0.0, 1.0, 2, STEPS, 0.1)
    return optax.chain(optax.clip_by_global_norm(1.0), plain(), optax.scale_by_schedule(shape))


def shaped_before():
    """Optax's cosine first, then the rate."""
    one = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b2=0.98),
        optax.add_decayed_weights(0.1),
        optax.scale_by_schedule(optax.warmup_cosine_decay_schedule(0.0, 1.0, 3, STEPS)),
        optax.scale_by_learning_rate(RATE),
    )
    return optax.masked(one, ONLY)


def at_once():
    """Our shape times the rate as the schedule of optax.adamw, matrices alone decaying."""

    def rate(count):
        return RATE * warm_cosine(count, float(STEPS), warmup=0.1, last=0.2)

    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate, b2=0.95, weight_decay=0.1, mask=decayed),
    )


def decayed(params):
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


CASES = {
    "plain": (plain, adamw_cosine(decay=0.01, trained=ONLY)),
    "shaped after": (
        shaped_after,
        adamw_cosine(
            optax_cosine(STEPS, warmup=2, last=0.1),
            decay=0.01,
            trained=ONLY,
            clip=1.0,
            rate="before shape",
        ),
    ),
    "shaped before": (
        shaped_before,
        adamw_cosine(
            optax_cosine(STEPS, warmup=3, last=0.0),
            b2=0.98,
            decay=0.1,
            trained=ONLY,
            clip=1.0,
            rate="after shape",
        ),
    ),
    "at once": (
        at_once,
        adamw_cosine(
            lambda count, horizon: warm_cosine(count, horizon, warmup=0.1, last=0.2),
            horizon=float(STEPS),
            b2=0.95,
            decay=0.1,
            decayed=decayed,
            clip=1.0,
        ),
    ),
}


def start():
    """Float32 as in a run; nothing was drawn that has a gradient."""
    values = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    return {
        "net": {"w": jnp.asarray(values), "b": jnp.ones(4, jnp.float32)},
        "drawn": jnp.ones(3, jnp.float32),
    }


def trajectory(optimizer, state):
    """Params after each of STEPS updates by random gradients."""

    @jax.jit
    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    params, rng, seen = start(), np.random.default_rng(1), []
    for _ in range(STEPS):
        grads = jax.tree.map(lambda x: jnp.asarray(3 * rng.normal(size=x.shape), x.dtype), params)
        grads["drawn"] = jnp.zeros_like(grads["drawn"])
        params, state = step(params, state, grads)
        seen.append(jax.tree.map(np.asarray, params))
    return seen


@pytest.mark.parametrize("case", CASES)
def test_updates_are_those_of_optax_to_the_last_bit(case):
    written_out, ours = CASES[case]
    theirs = written_out()
    expected = trajectory(theirs, theirs.init(start()))
    found = trajectory(ours, train.tuned(ours, learning_rate=np.float32(RATE)).init(start()))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert (found[-1]["net"]["w"] != start()["net"]["w"]).all()
    np.testing.assert_array_equal(found[-1]["drawn"], start()["drawn"])


def test_the_rate_rises_in_a_straight_line_and_falls_as_a_cosine():
    shape = [float(warm_cosine(count, 100, warmup=0.1, last=0.2)) for count in range(100)]
    np.testing.assert_allclose(shape[:10], np.arange(1, 11) / 10, rtol=1e-6)
    assert shape[54] == pytest.approx(0.2 + 0.8 / 2)  # half way down
    assert shape[99] == pytest.approx(0.2) and (np.diff(shape[9:]) < 0).all()
    optax_s = optax_cosine(100, warmup=10, last=0.2)
    assert float(optax_s(0, None)) == 0 and float(optax_s(10, None)) == 1
    assert float(optax_s(100, None)) == pytest.approx(0.2)


def test_another_rate_or_horizon_is_another_number_and_no_other_program():
    compiled = []
    optimizer = adamw_cosine(
        lambda count, horizon: warm_cosine(count, horizon, warmup=0.1, last=0.1), decay=0.0
    )

    def loss(params, batch, key):
        compiled.append(1)
        return jnp.sum((params["w"] - batch) ** 2), {}

    def fitted(rate, horizon):
        params = {"w": jnp.zeros(3)}
        tuned = train.tuned(optimizer, learning_rate=rate, horizon=horizon)
        return train.fit(
            jax.random.key(0), params, loss, STREAM, optimizer,
            steps=4, log_every=4, journal=silent_journal(), opt_state=tuned.init(params),
        )["w"]  # fmt: skip

    slow, traced = fitted(1e-3, 4.0), len(compiled)
    fast, longer = fitted(1e-2, 4.0), fitted(1e-3, 400.0)
    assert traced > 0 and len(compiled) == traced
    np.testing.assert_allclose(fast, 10 * slow, rtol=1e-3)
    assert (longer != slow).all()


STREAM = Stream(jnp.ones(3), step_keys, lambda data, key: data)
"""The same three numbers at every step."""
