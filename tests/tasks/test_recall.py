"""Recall tasks: what is asked can be looked up in what was said, once and nowhere else."""

from functools import cache

import jax
import numpy as np
import pytest

from feedrun.tasks import recall


@cache
def drawn(name, length, count=400):
    keys = jax.random.split(jax.random.key(0), count)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(recall.task(name, length).sample))(keys))


@pytest.mark.parametrize(
    ("name", "length", "asked"),
    [("pairs", 48, 16), ("needle", 60, 8), ("duplicate", 48, 24)],
)
def test_answers_follow_the_only_place_where_the_token_stood_before(name, length, asked):
    for tokens, targets, scored in zip(*drawn(name, length), strict=True):
        at = np.flatnonzero(scored)
        assert len(tokens) == length and at.tolist() == list(range(length - asked, length))
        first = at[0]
        for t in at if name != "duplicate" else at[1:]:
            (place,) = np.flatnonzero(tokens[:first] == tokens[t])
            assert tokens[place + 1] == targets[t]
        assert (targets[:first] == 0).all()
    if name == "duplicate":
        np.testing.assert_array_equal(tokens[:24], targets[24:])


def test_noise_around_needles_is_of_keys_and_values_alike():
    tokens = drawn("needle", 60).tokens
    said = tokens[:, :-8]
    values = (said >= recall.KEYS).mean()
    assert values == pytest.approx(0.5, abs=0.02) and tokens.max() < recall.SEPARATOR


def test_lengths_without_room_are_refused():
    with pytest.raises(ValueError, match="needle has lengths 24 to 1000000, got 12"):
        recall.task("needle", 12)
    with pytest.raises(ValueError, match="duplicate has lengths 6 to 384, got 400"):
        recall.task("duplicate", 400)
