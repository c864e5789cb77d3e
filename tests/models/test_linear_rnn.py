"""Bare recurrences: a complex pair is the steady Kalman filter, steps equal the whole, poles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import riccati
from feedrun.models.linear_rnn import bare
from feedrun.papers.ssm_icl.families import linear_gaussian
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles

KINDS = [
    {"poles": "complex", "states": 2},
    {"poles": "real", "states": 3, "conv": True},
    {"poles": "complex", "states": 4, "layers": 2, "conv": True},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_streaming_steps_equal_the_whole_sequence(kind):
    arm = bare(**kind, features=2)
    params = arm.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (9, 2), jnp.float32)

    def by_step(params, x):
        return jax.lax.scan(lambda state, now: arm.step(params, state, now), arm.start(), x)[1]

    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
    whole, steps = jax.jit(arm.apply)(params, x), jax.jit(by_step)(params, x)
    np.testing.assert_allclose(steps, whole, rtol=1e-4, atol=1e-6)


def test_a_complex_pair_set_by_hand_is_the_steady_filter_of_a_turning_state():
    tasks = linear_gaussian.rotation()
    system = jax.tree.map(lambda leaf: leaf[0], oracles.system(tasks))
    K, C = np.asarray(riccati.steady(system).gain), np.asarray(system.C)
    F = np.asarray(system.A) - K @ C
    values, V = np.linalg.eig(F)
    drive, read = np.linalg.solve(V, K)[0, 0], (C @ V)[0, 0]
    arm = bare("complex", 2, features=1)
    params = {
        "layers": [
            {
                "A_log": jnp.log(-jnp.log(jnp.abs(values[:1]))),
                "A_imag": jnp.angle(values[:1]),
                "B": jnp.array([[drive.real, drive.imag]]),
            }
        ],
        "C": 2 * jnp.array([[read.real], [-read.imag]]),
    }
    y = np.random.default_rng(0).standard_normal(30)
    expected, m = [], np.zeros(2)
    for value in y:
        m = F @ m + K[:, 0] * value
        expected.append(C[0] @ m)
    found = jax.jit(arm.apply)(params, jnp.asarray(y)[:, None])[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_poles_start_inside_the_unit_circle_and_real_ones_are_positive():
    for kind in ("real", "complex"):
        layer = bare(kind, 8, features=1).init(jax.random.key(3))["layers"][0]
        size = np.exp(-np.exp(np.asarray(layer["A_log"])))
        assert len(size) == (8 if kind == "real" else 4)
        assert (size > 0).all() and (size < 1).all()


def test_an_odd_number_of_states_has_no_complex_pairs():
    with pytest.raises(ValueError, match="pairs, 3 states"):
        bare("complex", 3, features=1)
