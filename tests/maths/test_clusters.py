"""Connected components against a search that visits them one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths import clusters

labels = jax.jit(clusters.component_labels)


def visited(near):
    """Smallest index of each point's component, by depth-first search."""
    found = np.full(len(near), -1)
    for root in range(len(near)):
        stack = [root] if found[root] < 0 else []
        while stack:
            i = stack.pop()
            if found[i] < 0:
                found[i] = root
                stack += list(np.flatnonzero(near[i]))
    return found


@pytest.mark.parametrize("edges", [0, 10, 20, 40])
def test_labels_equal_a_depth_first_search(edges):
    i, j = np.random.default_rng(edges).integers(0, 30, (2, edges))
    near = np.eye(30, dtype=bool)
    near[i, j] = near[j, i] = True
    np.testing.assert_array_equal(labels(jnp.array(near)), visited(near))


def test_a_chain_in_any_order_is_one_component():
    order = np.random.default_rng(0).permutation(40)
    near = np.abs(order[:, None] - order[None]) <= 1
    assert clusters.num_components(jnp.array(near)) == 1


def test_first_neighbour_of_separate_groups_is_their_first_member():
    near = jnp.kron(jnp.eye(3), jnp.ones((2, 2))) > 0
    np.testing.assert_array_equal(clusters.first_neighbour(near), [0, 0, 2, 2, 4, 4])
