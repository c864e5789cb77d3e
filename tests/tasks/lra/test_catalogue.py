"""Long Range Arena's data: every task without a download, and its published files in miniature."""

import pickle
from typing import Any

import numpy as np
import pytest

from feedrun.tasks import cache, images
from feedrun.tasks.lra import catalogue, image, retrieval, sequences, sourcecode

SIZES: dict[str, Any] = {"train": 40, "valid": 8, "test": 12}
LENGTHS = {"listops": 64, "text": 256, "retrieval": 256, "image": 256, "pathfinder": 1024}
UNPACKED = ("", "lra_release", "lra_release/lra_release")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def packages():
    """Two small real packages, read once instead of four large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sourcecode, "PACKAGES", ("flax", "optax"))
        yield


def load(task, folder=None, **options):
    options = SIZES | {"length": LENGTHS.get(task, 64)} | options
    return catalogue.load(task, folder=folder, **options)


def error(task, folder=None, **options):
    """The one line that loading ends with."""
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(task, folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def texts(tokens, lengths):
    """Byte tokens back to bytes."""
    flat = zip(tokens.reshape(-1, tokens.shape[-1]), lengths.ravel(), strict=True)
    return [bytes((row[:size] - 1).astype(np.uint8)) for row, size in flat]


# every task ------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", catalogue.TASKS)
def test_splits_have_their_sizes_valid_ids_and_no_example_in_common(task, packages):
    data = load(task)
    rows = []
    for split, count in zip(data[:3], SIZES.values(), strict=True):
        assert len(split.tokens) == len(split.lengths) == len(split.labels) == count
        assert split.tokens.shape[-1] == LENGTHS[task]
        there = np.arange(LENGTHS[task]) < split.lengths[..., None]
        assert (split.tokens[there] > 0).all() and not split.tokens[~there].any()
        assert split.tokens.max() < data.vocabulary
        assert split.labels.min() >= 0 and split.labels.max() < data.classes
        rows.append({row.tobytes() for row in split.tokens})
    assert sum(map(len, rows)) == len(set.union(*rows)) == sum(SIZES.values())


@pytest.mark.parametrize("task", catalogue.TASKS)
def test_the_seed_alone_decides_the_data(task, packages, monkeypatch, tmp_path):
    first, again, other = load(task), load(task), load(task, seed=1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    anew = load(task)
    for one, same, fresh in zip(first[:3], again[:3], anew[:3], strict=True):
        np.testing.assert_array_equal(one.tokens, same.tokens)
        np.testing.assert_array_equal(one.tokens, fresh.tokens)
        np.testing.assert_array_equal(one.labels, fresh.labels)
    assert (first.train.tokens != other.train.tokens).any()


def test_an_unknown_task_and_a_count_of_zero_are_named():
    assert "did you mean pathfinder?" in error("pathfindr", length=1024)
    assert "test=0" in error("listops", test=0)


def test_majority_is_the_share_in_test_of_what_train_has_most_of():
    def split(labels):
        return sequences.Sequences(np.zeros((len(labels), 1)), np.ones(len(labels)), labels)

    train, test = (split(np.array(labels)) for labels in ([2, 2, 0, 1], [0, 0, 0, 2]))
    assert sequences.majority(sequences.SequenceTask(train, train, test, 5, 3, "")) == 0.25


def test_long_rows_are_refused_or_cut_and_counted_and_empty_ones_refused():
    rows = [np.array([1, 2, 3], np.uint8), np.array([4], np.uint8)]
    tokens, lengths, cut = sequences.pad(rows, length=2, truncate=True)
    assert tokens.tolist() == [[1, 2], [4, 0]] and lengths.tolist() == [2, 1] and cut == 1
    with pytest.raises(ValueError, match=r"1 of 2 sequences are longer than length=2, .* has 3"):
        sequences.pad(rows, length=2, truncate=False)
    with pytest.raises(ValueError, match="1 of 3 sequences are empty"):
        sequences.pad([*rows, rows[0][:0]], length=3, truncate=False)


def test_a_damaged_cache_is_made_anew():
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3)}

    for _ in range(2):
        np.testing.assert_array_equal(cache.cached("x", {"n": 3}, make)["a"], np.arange(3))
    assert len(made) == 1
    next(cache.folder().iterdir()).write_bytes(b"torn")
    np.testing.assert_array_equal(cache.cached("x", {"n": 3}, make)["a"], np.arange(3))
    assert len(made) == 2


# text ------------------------------------------------------------------------------------------


def write_imdb(folder, *, each=5):
    for split in ("train", "test"):
        for y, kind in enumerate(("neg", "pos")):
            place = folder / "aclImdb" / split / kind
            place.mkdir(parents=True)
            for i in range(each):
                review = f"{kind} {split} {i} caf".encode() + b"\xc3\xa9\xff" * (i + 1)
                (place / f"{i}_{9 * y + 1}.txt").write_bytes(review)


def test_imdb_reviews_come_back_byte_for_byte_with_their_labels(tmp_path):
    write_imdb(tmp_path)
    data = load("text", tmp_path, train=8, valid=2, test=10, length=40)
    for split, where in zip(data[:3], (b"train", b"train", b"test"), strict=True):
        for text, label in zip(texts(split.tokens, split.lengths), split.labels, strict=True):
            kind, place, number, _ = text.split(b" ", 3)
            assert (kind, place) == ((b"neg", b"pos")[label], where)
            assert text.endswith(b"caf" + b"\xc3\xa9\xff" * (int(number) + 1))
    assert data.vocabulary == 257 and "IMDb" in data.source


def test_imdb_says_what_is_missing_too_few_too_long_or_empty(tmp_path):
    assert "aclImdb_v1.tar.gz" in error("text", tmp_path)
    write_imdb(tmp_path)
    assert "has 10 examples, not 48" in error("text", tmp_path)
    few = {"train": 8, "valid": 2, "test": 10}
    assert "longer than length=10" in error("text", tmp_path, **few, length=10)
    assert (
        "20 sequences cut to 10" in load("text", tmp_path, **few, length=10, truncate=True).source
    )
    (tmp_path / "aclImdb/test/neg/0_1.txt").write_bytes(b"")
    assert "1 of 10 reviews" in error("text", tmp_path, **few, length=40)
    for path in (tmp_path / "aclImdb/test/pos").iterdir():
        path.unlink()
    (tmp_path / "aclImdb/test/pos").rmdir()
    assert "no test/pos in" in error("text", tmp_path, **few)


def test_source_pieces_carry_no_opening_comments_and_no_file_is_in_two_splits(packages):
    text = b"#!/bin/x\n# Copyright Somebody\n\n  # in\nimport a\n# kept\n"
    assert sourcecode.body(text) == b"  # in\nimport a\n# kept\n"
    found = sourcecode.pieces(512)
    dealt = sourcecode.deal(found, (80, 10, 10), np.random.default_rng(0))
    documents = [{piece.document for piece in split} for split in dealt]
    assert sum(map(len, documents)) == len(set.union(*documents))
    shares = np.array([len(split) for split in dealt]) / len(found)
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.05)  # a file is dealt out whole


# retrieval -------------------------------------------------------------------------------------


def write_aan(folder, lines=4):
    folder.mkdir(parents=True)
    for name in retrieval.FILES:
        rows = [
            b'%d.0\tP00-%04d\tP01-%04d\tfirst "%d\tsecond %d \xff' % (i % 2, i, i, i, i)
            for i in range(lines)
        ]
        (folder / name).write_bytes(b"\n".join([b"1.0\tA\tB\t\tno text", *rows]) + b"\n")


@pytest.mark.parametrize("up", UNPACKED)
def test_aan_pairs_come_back_as_written_and_those_without_text_are_counted(tmp_path, up):
    write_aan(tmp_path / up / "tsv_data")
    data = load("retrieval", tmp_path, train=4, valid=3, test=4, length=32)
    assert data.train.labels.tolist() == [0, 1, 0, 1]
    first, second = texts(data.train.tokens[2], data.train.lengths[2])
    assert (first, second) == (b'first "2', b"second 2 \xff")
    assert "3 pairs without text left out" in data.source


def test_aan_says_which_file_or_line_is_wrong(tmp_path):
    write_aan(tmp_path / "tsv_data")
    assert "has 4 pairs with text, not 40" in error("retrieval", tmp_path)
    path = tmp_path / "tsv_data" / retrieval.FILES[0]
    path.write_bytes(b"1.0\tA\tB\tonly one text\n")
    assert "line 1 is not a label" in error("retrieval", tmp_path)
    path.unlink()
    message = error("retrieval", tmp_path)
    assert f"no {path.name} in {path.parent}" in message and "lra_release.gz" in message


def test_pairs_are_of_one_file_or_of_two_of_one_package(packages):
    found = sourcecode.pieces(256)
    labels = np.arange(200) % 2
    pairs = retrieval._pick(found, labels, np.random.default_rng(0))
    for (one, other), label in zip(pairs, labels, strict=True):
        assert one.text != other.text and one.package == other.package
        assert (one.document == other.document) == label
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)


# image -----------------------------------------------------------------------------------------


def test_cifar_in_grey_is_read_line_by_line(tmp_path):
    rng, place = np.random.default_rng(0), tmp_path / images.CIFAR_FOLDER
    place.mkdir()
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        x = rng.integers(0, 256, (4, 3072), np.uint8)
        (place / name).write_bytes(pickle.dumps({b"data": x, b"labels": [0, 1, 2, 3]}, protocol=2))
    data = load("image", tmp_path, length=1024, train=15, valid=5, test=4)
    colours = x.reshape(4, 3, 1024).astype(float)[data.test.labels]
    expected = np.einsum("nct,c->nt", colours, [0.2989, 0.587, 0.114])
    assert np.abs(data.test.tokens - 1.0 - expected).max() <= 0.5 + 1e-9
    assert "CIFAR-10 in grey" in data.source and data.classes == 10


def test_small_images_are_framed_and_pooled():
    x = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
    whole = image.framed(x)
    np.testing.assert_array_equal(whole[:, 2:30, 2:30], x)
    assert whole.sum(dtype=int) == x.sum(dtype=int)
    mean = whole[0, 8:12, 4:8].mean()
    assert abs(image.pooled(whole, 4)[0, 2, 1] - mean) <= 0.5
    assert "1024 pixels, or 256 or 64" in error("image", length=100)


def test_the_packaged_digits_are_real_and_held_out():
    data = load("image", length=1024, data="mnist_5k", train=4000, valid=500, test=500)
    assert np.bincount(np.concatenate([s.labels for s in data[:3]])).tolist() == [500] * 10
    assert "5,000 digits" in data.source
    assert "has 5000 examples" in error("image", data="mnist_5k", train=5000)
