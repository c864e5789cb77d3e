import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.runtime import replicas


@pytest.mark.parametrize("turns", [True, False])
def test_each_replica_is_computed_by_itself(turns):
    x, y = jnp.arange(6.0).reshape(3, 2), jnp.arange(3.0)
    found = replicas.each(lambda a, b: a.sum() * b, turns=turns)(x, y)
    np.testing.assert_array_equal(found, [0, 5, 18])


def test_replicas_split_over_devices_give_what_one_device_gives():
    x, mesh = jnp.arange(12.0).reshape(2, 6), replicas.device_mesh(6)
    run = jax.jit(replicas.split(lambda x, c: x**2 + c, mesh, axis=1, copied=1))
    np.testing.assert_array_equal(run(replicas.placed(x, mesh, axis=1), 1.0), x**2 + 1)


def test_the_mesh_divides_the_replicas():
    assert 7 % replicas.device_mesh(7).size == 0
