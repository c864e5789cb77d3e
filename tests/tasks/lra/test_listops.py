"""ListOps: labels by a slow evaluator of text, shapes by the published grammar, one tree a time."""

import itertools
from typing import Any

import numpy as np
import pytest

from feedrun.tasks.lra import catalogue, listops

LIMITS = {"shortest": 20, "longest": 120, "max_depth": 6, "max_args": 5}
SMALL: dict[str, Any] = {"length": 64, "train": 3, "valid": 2, "test": 2}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def words(row):
    return [listops.SYMBOLS[token - 1] for token in row]


def evaluate(words):
    """The value of an expression and what is left of it, one word at a time."""
    word, *rest = words
    if word.isdigit():
        return int(word), rest
    values = []
    while rest[0] != "]":
        value, rest = evaluate(rest)
        values.append(value)
    assert len(values) >= 2
    apply = {"[MIN": min, "[MAX": max, "[MED": np.median, "[SM": lambda v: sum(v) % 10}[word]
    return int(apply(values)), rest[1:]


def grow(rng, depth, *, max_depth, max_args):
    """(tokens, depth, arguments of every operator) of one tree, as the published generator."""
    if depth == max_depth or rng.random() > 0.25:
        return 1, depth, []
    count = int(rng.integers(2, max_args + 1))
    below = [grow(rng, depth + 1, max_depth=max_depth, max_args=max_args) for _ in range(count)]
    sizes, depths, arguments = zip(*below, strict=True)
    return 2 + sum(sizes), max(depths), [count, *itertools.chain(*arguments)]


def depth_and_arguments(row):
    """The same of a row of tokens."""
    depth, deepest, stack, counts = 1, 1, [0], []
    for word in words(row):
        if word == "]":
            counts.append(stack.pop())
            depth -= 1
        else:
            stack[-1] += 1
            deepest = max(deepest, depth)
            if word[0] == "[":
                stack.append(0)
                depth += 1
    return deepest, counts


def test_labels_equal_the_written_out_evaluation():
    rows, labels = listops.generate(400, seed=0, **LIMITS)
    for row, label in zip(rows, labels, strict=True):
        assert evaluate(words(row)) == (label, [])
        assert LIMITS["shortest"] < len(row) < LIMITS["longest"]
    assert set(labels) == set(range(10))


def test_shapes_are_distributed_as_those_of_the_published_rejection():
    rows, _ = listops.generate(3000, seed=1, **LIMITS)
    rng, trees = np.random.default_rng(2), []
    while len(trees) < 3000:
        tree = grow(rng, 1, max_depth=6, max_args=5)
        if LIMITS["shortest"] < tree[0] < LIMITS["longest"]:
            trees.append(tree)
    ours = [(len(row), *depth_and_arguments(row)) for row in rows]
    columns = [
        np.array([(size, deep, len(counts), float(np.mean(counts))) for size, deep, counts in own])
        for own in (ours, trees)
    ]
    mean, expected = (np.mean(column, axis=0) for column in columns)
    error = np.sqrt(sum(np.var(column, axis=0) for column in columns) / 3000)
    assert (np.abs(mean - expected) < 4 * error).all(), (mean, expected, error)


def test_digits_and_operators_are_uniform():
    rows, _ = listops.generate(2000, seed=3, **LIMITS)
    counts = np.bincount(np.concatenate(rows), minlength=16)
    for some in (counts[1:11], counts[11:15]):
        error = np.sqrt(some.sum() / len(some))
        assert (np.abs(some - some.mean()) < 4 * error).all()
    assert counts[15] == counts[11:15].sum()


def test_most_expressions_have_the_extreme_labels():
    _, labels = listops.generate(3000, seed=4, **LIMITS)
    shares = np.bincount(labels, minlength=10) / 3000
    assert shares[[0, 9]].min() > shares[1:9].max()


def test_expressions_are_distinct_and_the_first_of_more():
    few, _ = listops.generate(300, seed=0, shortest=3, longest=7, max_depth=3, max_args=3)
    more, _ = listops.generate(900, seed=0, shortest=3, longest=7, max_depth=3, max_args=3)
    assert len({row.tobytes() for row in more}) == 900
    assert all(a.tobytes() == b.tobytes() for a, b in zip(few, more, strict=False))


def test_limits_without_expressions_are_refused():
    with pytest.raises(ValueError, match="allow 400 distinct expressions, not 1000"):
        listops.generate(1000, seed=0, shortest=3, longest=5, max_depth=2, max_args=2)
    with pytest.raises(ValueError, match="needed are max_args >= 2"):
        listops.generate(1, seed=0, shortest=3, longest=5, max_depth=2, max_args=1)


def test_published_lines_are_read_with_their_brackets():
    row = listops.parse(b"( ( ( [MAX 2 ) ( ( ( [MED 3 ) 9 ) ] ) ) ] )")
    assert words(row) == ["[MAX", "2", "[MED", "3", "9", "]", "]"]
    assert evaluate(words(row)) == (6, [])


def write(folder, line=b"( ( ( [SM 7 ) 5 ) ] )\t2\r\n", *, names=listops.FILES):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"Source\tTarget\r\n" + line * 4)


@pytest.mark.parametrize("up", ["", "lra_release", "lra_release/lra_release"])
def test_the_release_is_found_at_every_depth(tmp_path, up):
    write(tmp_path / up / "listops-1000")
    task = catalogue.load("listops", folder=tmp_path, **SMALL)
    assert words(task.test.tokens[1][:4]) == ["[SM", "7", "5", "]"]
    assert task.train.labels.tolist() == [2, 2, 2] and task.train.lengths.tolist() == [4] * 3
    assert task.vocabulary == 16 and "published" in task.source


def test_a_partial_or_damaged_release_says_what_is_wrong_and_where(tmp_path):
    place = tmp_path / "listops-1000"
    with pytest.raises(FileNotFoundError, match=r"no basic_train.tsv, basic_val.tsv, .*there"):
        catalogue.load("listops", folder=tmp_path, **SMALL)
    write(place, names=listops.FILES[:2])
    with pytest.raises(FileNotFoundError, match=f"no basic_test.tsv in {place}: unpack"):
        catalogue.load("listops", folder=tmp_path, **SMALL)
    write(place)
    with pytest.raises(ValueError, match="longer than length=3"):
        catalogue.load("listops", folder=tmp_path, **SMALL | {"length": 3})
    cut = catalogue.load("listops", folder=tmp_path, truncate=True, **SMALL | {"length": 3})
    assert "7 sequences cut to 3 tokens" in cut.source
    with pytest.raises(ValueError, match="has 4 examples, not 5"):
        catalogue.load("listops", folder=tmp_path, **SMALL | {"train": 5})
    write(place, b"( [MUL 2 3 ] )\t6\n")
    with pytest.raises(ValueError, match=r"basic_train.tsv: line 2 is not"):
        catalogue.load("listops", folder=tmp_path, **SMALL)
