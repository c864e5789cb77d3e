"""Groups of sequences of about equal length."""

import numpy as np
import pytest

from feedrun.tasks.lra.sequences import Sequences, buckets, real_share


def split(lengths):
    lengths = np.asarray(lengths, np.int32)
    tokens = np.where(np.arange(9) < lengths[..., None], 1 + np.arange(len(lengths)).reshape(
        -1, *[1] * lengths.ndim), 0)  # fmt: skip
    return Sequences(tokens.astype(np.uint8), lengths, np.arange(len(lengths), dtype=np.int32))


def test_buckets_are_in_order_of_length_and_lose_nothing():
    data = split([5, 2, 9, 3, 5, 1])
    found = buckets(data, 3)
    np.testing.assert_array_equal(found.data.lengths, [1, 2, 3, 5, 5, 9])
    np.testing.assert_array_equal(found.data.labels, [5, 1, 3, 0, 4, 2])  # equal ones in order
    assert found.widths == (2, 5, 9)
    for group, width in enumerate(found.widths):
        tokens = found.data.tokens[2 * group : 2 * group + 2]
        assert (tokens[:, width:] == 0).all() and (tokens[:, width - 1] > 0).any()
    np.testing.assert_array_equal(found.data.tokens, data.tokens[found.data.labels])
    assert real_share(found) == pytest.approx(25 / (2 * (2 + 5 + 9)))


def test_a_pair_is_as_long_as_its_longer_one():
    found = buckets(split([[9, 1], [2, 3], [4, 4], [1, 1]]), 2)
    np.testing.assert_array_equal(found.data.labels, [3, 1, 2, 0])
    assert found.widths == (3, 9) and real_share(found) == pytest.approx(25 / (2 * 2 * 12))


def test_one_bucket_is_cut_to_the_longest_and_unequal_ones_are_refused():
    assert buckets(split([5, 2, 7]), 1).widths == (7,)
    with pytest.raises(ValueError, match="3 sequences cannot be 2 equal groups"):
        buckets(split([5, 2, 7]), 2)
