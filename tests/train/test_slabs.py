"""Large batches in slabs of one shape."""

import numpy as np

from feedrun.train.slabs import in_slabs


def test_slabs_are_joined_in_order_and_all_of_one_shape():
    shapes = []

    def double(rows):
        shapes.append(rows.shape)
        return 2 * rows.T

    x = np.arange(14).reshape(7, 2)
    np.testing.assert_array_equal(in_slabs(double, x, 3, axis=1), 2 * x.T)
    assert shapes == [(3, 2)] * 3
