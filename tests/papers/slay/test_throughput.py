"""Operations a second and numbers that multiply."""

import jax.numpy as jnp

from feedrun.papers.slay import throughput


def test_numbers_that_multiply_are_those_of_kernels():
    weights = {
        "layer": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)},
        "table": jnp.ones((9, 2)),
    }
    assert throughput.multiplying(weights) == 12
    assert throughput.dense_share(weights, 10.0, 1440.0) == 0.5


def test_the_first_call_is_not_timed():
    calls = []
    assert throughput.median_seconds(lambda: calls.append(1), rounds=3) >= 0
    assert len(calls) == 4
