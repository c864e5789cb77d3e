"""Files are whole or absent, and a journal resumes to the row."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedrun.records import store
from feedrun.runner import journal


@pytest.fixture
def open_journal(tmp_path):
    """Open the journal of tmp_path as a (re)started run would; closed after the test."""
    opened = []

    def start(every=0.0):
        rows = journal.resume(tmp_path)
        disk = journal.DiskJournal(
            tmp_path, rows, every=every, mirror=lambda row: None, show=lambda *shown: None
        )
        opened.append(disk)
        return disk

    yield start
    for disk in opened:
        disk.close()


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    store.write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text()) == {"x": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("torn", ["", '{"step": 3', '{"step": 3, "x": 1.', "\x00\x00"])
def test_torn_last_line_is_survived(tmp_path, torn):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n' + torn)
    assert store.read_rows(path) == [{"step": 1}, {"step": 2}]


def test_torn_middle_line_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(ValueError, match=r"metrics.jsonl:2 is not JSON"):
        store.read_rows(path)


def test_checkpoint_gives_back_every_leaf_and_key(tmp_path, open_journal):
    key = jax.random.key(3)
    state = {
        "w": jnp.ones((2, 3), jnp.bfloat16) * 1.5,
        "n": np.arange(4),
        "key": key,
        "keys": jax.random.split(key, 2),
        "s": jnp.float32(2.5),
    }
    book = open_journal().journal("arm")
    book.save(7, state)
    like = jax.eval_shape(lambda: state)
    got = open_journal().journal("arm").restore(jax.tree.map(zeros, state, like))
    assert got is not None and got[0] == 7
    for name in ("w", "n", "s"):
        assert got[1][name].dtype == state[name].dtype
        np.testing.assert_array_equal(got[1][name], state[name])
    np.testing.assert_array_equal(
        jax.random.key_data(got[1]["keys"]), jax.random.key_data(state["keys"])
    )


def zeros(leaf, shape):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return leaf if is_key else np.zeros_like(leaf) if isinstance(leaf, np.ndarray) else leaf * 0


def test_resuming_keeps_what_the_checkpoint_has_seen_and_drops_the_rest(tmp_path, open_journal):
    disk = open_journal()
    book, arm = disk.journal(), disk.journal("arm")
    for step in range(5):
        arm.log(step, {"x": step})
        book.log(step, {"y": step})
        if step == 2:
            arm.save(step, {"w": np.zeros(2)})
    disk.close()
    kept = journal.resume(tmp_path)
    assert [(row["scope"], row["arm/x"]) for row in kept] == [("arm", 0), ("arm", 1), ("arm", 2)]
    assert store.read_rows(tmp_path / "metrics.jsonl") == kept


def test_saves_too_close_together_are_skipped_unless_final(tmp_path, open_journal):
    book = open_journal(every=1000.0).journal()
    book.save(1, {"w": np.zeros(2)})
    assert book.restore({"w": np.zeros(2)}) is None
    book.save(2, {"w": np.ones(2)}, final=True)
    assert book.restore({"w": np.zeros(2)})[0] == 2  # pyright: ignore[reportOptionalSubscript]


def test_checkpoint_of_another_shape_is_refused(tmp_path, open_journal):
    book = open_journal().journal()
    book.save(1, {"w": np.zeros(2)})
    with pytest.raises(ValueError, match="another state"):
        book.restore({"w": np.zeros(2), "v": np.zeros(2)})
    with pytest.raises(ValueError, match=r"shape \(2,\) where \(3,\)"):
        book.restore({"w": np.zeros(3)})


def test_garbage_checkpoint_means_starting_anew(tmp_path, open_journal):
    (tmp_path / "checkpoint-arm.npz").write_bytes(b"no zip at all")
    assert journal.resume(tmp_path) == []
    assert open_journal().journal("arm").restore({"w": np.zeros(2)}) is None


@pytest.mark.parametrize("bad", [float("nan"), [1.0, float("inf")]])
def test_non_finite_metric_is_an_error_with_name_and_step(tmp_path, open_journal, bad):
    book = open_journal().journal("arm")
    with pytest.raises(FloatingPointError, match=r"arm/loss is .* at step 12"):
        book.log(12, {"loss": bad})
    assert store.read_rows(tmp_path / "metrics.jsonl") == []


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_survives_a_row(value):
    assert json.loads(json.dumps(journal.finite("x", 0, value))) == value


def test_folders_that_are_no_records_are_passed_over(tmp_path):
    for name in ("empty", "garbage"):
        (tmp_path / "lab" / name).mkdir(parents=True)
    Path(tmp_path / "lab" / "garbage" / "run.json").write_text("{")
    assert store.records(tmp_path) == []
    with pytest.raises(ValueError, match=r"cannot read .*run.json"):
        store.load(tmp_path / "lab" / "garbage")
