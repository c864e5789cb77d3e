"""Explicit one-step methods: fitted orders, retraction, error control."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import ode

ORDERS = {"euler": 1, "rk4": 4, "dormand_prince": 5}


def method(name):
    one = getattr(ode, name)
    return (lambda f, y, h: one(f, y, h)[0]) if name == "dormand_prince" else one


def pendulum(y):
    return {"angle": y["speed"], "speed": -jnp.sin(y["angle"])}


@partial(jax.jit, static_argnames="name")
def angle_at_one(steps, *, name):
    y0 = {"angle": jnp.array(1.0), "speed": jnp.array(0.5)}
    return ode.end(lambda y: method(name)(pendulum, y, 1 / steps), y0, steps)["angle"]


@pytest.mark.parametrize("name", ORDERS)
def test_error_falls_at_the_order_of_the_method(name):
    truth = angle_at_one(2000, name="rk4")
    steps = np.array([8, 16, 32])
    errors = [abs(angle_at_one(int(n), name=name) - truth) for n in steps]
    slope = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - ORDERS[name]) < 0.15  # finite steps: the next order is still in the fit


def test_dormand_prince_gap_is_of_order_five():
    def gap(h):
        return float(ode.dormand_prince(jnp.sin, jnp.array(1.0), h)[1])

    assert abs(np.log2(abs(gap(0.1) / gap(0.05))) - 5) < 0.1  # leading term only


def test_scan_and_fixed_end_agree_bit_for_bit():
    step = partial(ode.rk4, jnp.sin, h=0.1)
    last, path = ode.integrate(lambda y: step(y), jnp.array(1.0), steps=20, observe=lambda y: y)
    assert last == path[-1] == ode.end(lambda y: step(y), jnp.array(1.0), 20)


def test_float32_stays_float32():
    y = jnp.ones(3, jnp.float32)
    for name in ORDERS:
        assert method(name)(lambda y: -y, y, 0.1).dtype == jnp.float32


@jax.jit
def decay_until(until, tolerance):
    """dy/dt = -y from 1 by adaptive steps; (clock, tried steps)."""

    def body(carry):
        clock, tried = carry
        clock = ode.adaptive_step(
            lambda y: -y, clock, until, tolerance=tolerance, retract=lambda y: y
        )
        return clock, tried + 1

    start = ode.Clock(jnp.array(0.0), jnp.array(1e-3), jnp.array(1.0)), 0
    return jax.lax.while_loop(lambda c: c[0].t < until, body, start)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_adaptive_error_follows_the_tolerance_and_ends_on_time(tolerance):
    clock, tried = decay_until(5.0, tolerance)
    assert clock.t == 5.0
    assert abs(clock.y - jnp.exp(-5.0)) < 5 * tolerance
    assert tried < 300


def test_a_clipped_last_step_does_not_shrink_the_next_one():
    clock, _ = decay_until(5.0, 1e-7)
    short = ode.adaptive_step(
        lambda y: -y, clock, clock.t + 1e-6, tolerance=1e-7, retract=lambda y: y
    )
    assert short.t == clock.t + 1e-6 and short.h >= clock.h


def test_a_rejected_step_leaves_the_state_and_shortens_the_step():
    clock = ode.Clock(jnp.array(0.0), jnp.array(4.0), jnp.array(1.0))
    after = ode.adaptive_step(lambda y: -y, clock, 10.0, tolerance=1e-9, retract=lambda y: y)
    assert after.t == 0 and after.y == 1 and after.h < 4
