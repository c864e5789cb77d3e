"""One draw for several arrays: shapes, independence, and how much it spares the compiler."""

import jax
import numpy as np
import pytest

from feedrun.maths.draws import normals


def test_shapes_are_those_asked_for_and_no_number_is_used_twice():
    shapes = [(3,), (), (4, 5), (0, 2), (2, 1, 3)]
    drawn = normals(jax.random.key(0), shapes)
    assert [d.shape for d in drawn] == shapes
    flat = np.concatenate([np.ravel(d) for d in drawn])
    assert len(np.unique(flat)) == len(flat) == 3 + 1 + 20 + 6


def test_they_are_standard_normal_and_independent():
    x, y = (np.asarray(d) for d in normals(jax.random.key(1), [(200, 300), (200, 300)]))
    spread = 4 / 60_000**0.5
    assert abs(x.mean()) < spread and abs(y.mean()) < spread
    assert abs(x.var() - 1) < 2**0.5 * spread and abs((x * y).mean()) < spread


@pytest.mark.parametrize("many", [2, 6])
def test_a_program_has_one_generator_however_many_arrays(many):
    def program(key):
        return normals(key, [(8,)] * many)

    text = jax.jit(program).lower(jax.random.key(0)).as_text()
    assert text.count("chlo.erf_inv") == 1
