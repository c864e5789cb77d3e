"""The synthetic and recall tasks against slow readings of their definitions."""

from collections import Counter
from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.tasks import recall
from feedrun.tasks.synthetic import TASKS, padded

SHOWN = 64


def drawn(task, count=SHOWN):
    """Examples as lists of (tokens, targets, scored)."""
    keys = jax.random.split(jax.random.key(1), count)
    found = jax.tree.map(np.asarray, jax.jit(jax.vmap(task.sample))(keys))
    return [tuple(x.tolist() for x in row) for row in zip(*found, strict=True)]


def after(x, mark):
    """The token behind the only `mark`."""
    assert x.count(mark) == 1
    return x[x.index(mark) + 1]


def runs(x):
    found = [value for value, _ in groupby(x)]
    return found + [0] * (len(x) - len(found))


def kv(x):
    assert x[-2] == 63 and len(set(x[:20:2])) == 10
    return dict(zip(x[:20:2], x[1:20:2], strict=True))[x[-1]]


def before_last(x):
    """Candidates: what followed earlier occurrences of the token before last."""
    return {x[i + 1] for i in range(1, 32) if x[i] == x[62]}


LAST = {
    "counting": lambda x: x.count(0),
    "parity": lambda x: sum(x) % 2,
    "addition": sum,
    "modular": lambda x: sum(x) % 7,
    "multihop": lambda x: after(x, 31),
    "retrieval": lambda x: 63 if x.count(63) == 1 and x[-1] == 62 else None,
    "kv_recall": kv,
    "first_token": lambda x: x[0],
    "majority": lambda x: max(range(5), key=lambda v: (x.count(v), -v)),
}
ALL = {
    "copy": list,
    "long_copy": list,
    "sort": sorted,
    "reverse": lambda x: x[::-1],
    "histogram": lambda x: [min(x.count(v), 15) for v in range(5)] + [0] * 27,
    "pattern": lambda x: [x[(i + 1) % 4] for i in range(32)],
    "compression": runs,
}


@pytest.mark.parametrize("name", LAST)
def test_answer_at_the_end_is_what_the_definition_says(name):
    for tokens, targets, scored in drawn(TASKS[name]):
        assert targets[-1] == LAST[name](tokens)
        assert scored == [False] * (len(tokens) - 1) + [True]


@pytest.mark.parametrize("name", ALL)
def test_targets_everywhere_are_what_the_definition_says(name):
    for tokens, targets, scored in drawn(TASKS[name]):
        assert targets == ALL[name](tokens) and all(scored)


def test_induction_asks_for_what_followed_an_earlier_occurrence():
    assert all(targets[-1] in before_last(x) for x, targets, _ in drawn(TASKS["induction"]))


def test_distant_match_scores_the_middle_where_the_first_token_is_not_zero():
    for x, targets, scored in drawn(TASKS["distant_match"]):
        assert targets[64] == x[0] and scored.count(True) == (x[0] > 0)


def test_bigram_is_one_table_for_all_sequences():
    table = {}
    for x, targets, _ in drawn(TASKS["bigram"]):
        assert all(table.setdefault(a, b) == b for a, b in zip(x, targets, strict=True))


def test_selective_copy_says_in_order_what_follows_the_markers():
    for x, targets, _ in drawn(TASKS["selective_copy"]):
        at = [i for i in range(32) if x[i] == 31]
        assert len(at) == 8 and targets[:32] + targets[40:] == [0] * 56
        for slot, i in zip(targets[32:40], at, strict=True):
            hidden = i < 31 and x[i + 1] == 31
            assert hidden or slot == (x[i + 1] if i < 31 else 0)


def test_noisy_copy_keeps_the_first_half_and_covers_a_third_of_the_rest():
    rows = drawn(TASKS["noisy_copy"])
    assert all(targets == x[:32] + [0] * 32 and 31 not in x[:32] for x, targets, _ in rows)
    share = np.mean([x[32:].count(31) / 32 for x, _, _ in rows])
    assert abs(share - 0.3) < 4 * (0.21 / 32 / SHOWN) ** 0.5


def test_stack_pops_only_what_was_pushed():
    for x, targets, _ in drawn(TASKS["stack"]):
        depth = 0
        for token, target in zip(x, targets, strict=True):
            depth += {30: 1, 31: -1}.get(token, 0)
            assert depth >= 0 and (token == 31 or target == 0)


@pytest.mark.parametrize("name", TASKS)
def test_tokens_and_answers_fit_the_vocabulary_and_length(name):
    task = TASKS[name]
    for tokens, targets, _ in drawn(task):
        assert len(tokens) == len(targets) == task.length
        assert min(tokens + targets) >= 0 and max(tokens + targets) < task.vocabulary


def test_padding_adds_positions_that_do_not_count():
    example = TASKS["sort"].sample(jax.random.key(0))
    longer = padded(example, 20)
    assert longer.scored.tolist() == [True] * 16 + [False] * 4
    np.testing.assert_array_equal(longer.tokens[:16], example.tokens)
    with pytest.raises(ValueError, match="16 tokens do not fit into 8"):
        padded(example, 8)


def test_pairs_are_asked_for_once_each():
    for x, targets, scored in drawn(recall.task("pairs", 24)):
        table = dict(zip(x[:16:2], x[1:16:2], strict=True))
        assert len(table) == 8 and Counter(x[16:]) == Counter(table.keys())
        assert (
            targets[16:] == [table[key] for key in x[16:]] and scored == [False] * 16 + [True] * 8
        )


def test_each_needle_is_one_key_and_what_is_asked_is_the_value_behind_it():
    n = recall.NEEDLES
    for x, targets, scored in drawn(recall.task("needle", 40)):
        body, asked = x[:-n], x[-n:]
        assert len(set(asked)) == n and [body.count(key) for key in asked] == [1] * n
        assert targets[-n:] == [body[body.index(key) + 1] for key in asked]
        assert min(targets[-n:]) >= recall.KEYS and scored == [False] * (40 - n) + [True] * n


def test_duplicate_says_the_first_half_again():
    for x, targets, scored in drawn(recall.task("duplicate", 10)):
        assert x[5] == recall.SEPARATOR and x[6:] == x[:4] and targets[5:] == x[:5]
        assert len(set(x[:5])) == 5 and scored == [False] * 5 + [True] * 5


def test_more_pairs_than_keys_are_refused():
    with pytest.raises(ValueError, match="pairs has lengths 6 to 576, got 600"):
        recall.task("pairs", 600)


def test_samples_differ_from_key_to_key():
    first, second = (recall.task("pairs", 24).sample(jax.random.key(k)).tokens for k in (0, 1))
    assert jnp.any(first != second)
