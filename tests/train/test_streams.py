"""Batches of `streams.grouped`: one part at a time, in turns, each example as likely as any."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.train.streams import grouped

DATA = {"row": jnp.arange(30), "double": 2 * jnp.arange(30)[:, None]}


def plan(key, start, length, *, batch=3, groups=3):
    stream = grouped(DATA, batch, groups=groups)
    group, rows = jax.jit(stream.plan, static_argnames="length")(key, start, length=length)
    return np.asarray(group), np.asarray(rows)


def test_groups_take_turns_and_a_batch_is_of_one_group():
    group, rows = plan(jax.random.key(0), 4, 11)
    np.testing.assert_array_equal(group, (4 + np.arange(11)) % 3)
    np.testing.assert_array_equal(rows // 10, np.broadcast_to(group[:, None], rows.shape))
    stream = grouped(DATA, 3, groups=3)
    part, batch = stream.batch(stream.data, (group[0], jnp.asarray(rows[0])))
    np.testing.assert_array_equal(batch["row"], rows[0])
    np.testing.assert_array_equal(batch["double"][:, 0], 2 * rows[0])
    assert part == group[0]


@pytest.mark.parametrize("start", [0, 1, 5, 13])
def test_what_a_step_sees_does_not_depend_on_where_the_plan_starts(start):
    group, rows = plan(jax.random.key(1), 0, 40)
    again, later = plan(jax.random.key(1), start, 40 - start)
    np.testing.assert_array_equal(later, rows[start:])
    np.testing.assert_array_equal(again, group[start:])


def test_an_epoch_repeats_nothing_and_many_see_every_example_as_often():
    steps = 9 * 400  # an epoch: 3 batches of 3 in each of 3 groups of 10, one row left out
    rows = plan(jax.random.key(2), 0, steps)[1]
    for epoch in rows.reshape(400, 27):
        assert len(set(epoch)) == 27
    counts = np.bincount(rows.ravel(), minlength=30)
    assert abs(counts / 400 - 0.9).max() < 5 * np.sqrt(0.9 * 0.1 / 400)


def test_two_seeds_see_the_same_groups_and_other_rows():
    one, other = (plan(jax.random.key(seed), 0, 12) for seed in (3, 4))
    np.testing.assert_array_equal(one[0], other[0])
    assert (one[1] != other[1]).any()


def test_one_group_is_all_of_it_and_unequal_groups_are_refused():
    assert set(plan(jax.random.key(0), 0, 10, groups=1)[1].ravel()) == set(range(30))
    with pytest.raises(ValueError, match="30 examples are not 4 equal groups"):
        grouped(DATA, 3, groups=4)
    with pytest.raises(ValueError, match="of at least batch_size=11"):
        grouped(DATA, 11, groups=3)
