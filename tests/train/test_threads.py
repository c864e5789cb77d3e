"""Parts of a run side by side in threads: order, one device each, errors, the record."""

import itertools
import json
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from feedrun import train
from feedrun.experiment import silent_journal
from feedrun.runner import journal as journals
from feedrun.train import threads
from feedrun.train.sharding import layout
from feedrun.train.streams import generated
from feedrun.train.threads import in_threads
from tests import children


@pytest.fixture
def two(monkeypatch):
    """As on a host with two devices."""
    monkeypatch.setattr(threads, "_at_once", lambda: 2)


def test_results_come_in_the_order_of_the_items(two):
    first = threading.Event()

    def work(item, journal):
        if item == 0:
            assert first.wait(children.PATIENCE), "the second part did not run beside the first"
        first.set()
        return item * 10

    assert in_threads(work, [0, 1, 2], silent_journal()) == [0, 10, 20]


@pytest.mark.parametrize("at_once", [1, 2])
def test_progress_counts_parts(monkeypatch, at_once):
    monkeypatch.setattr(threads, "_at_once", lambda: at_once)
    told = []
    journal = silent_journal()._replace(progress=lambda done, total: told.append((done, total)))
    in_threads(lambda item, own: item, ["a", "b", "c"], journal)
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("at_once", [1, 2])
def test_several_counts_of_a_run_have_names(monkeypatch, tmp_path, at_once):
    monkeypatch.setattr(threads, "_at_once", lambda: at_once)
    told = []
    disk = journals.DiskJournal(
        tmp_path, [], every=0.0, mirror=lambda row: None, show=lambda *line: told.append(line[:3])
    )
    in_threads(lambda item, own: item, ["a", "b"], disk.journal(), counted="arms")
    disk.close()
    assert told == [("arms", 1, 2), ("arms", 2, 2)]


def test_a_part_computes_on_one_device_and_its_parts_run_in_turn(monkeypatch):
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)

    def inner(item, journal):
        return threading.get_ident()

    def work(item, journal):
        keys = jax.random.split(jax.random.key(0), 2)
        stream = generated(lambda key: jnp.zeros(2))
        place = layout(keys, stream, repeats=2, devices=None, batching=None)
        return place.mesh, {threading.get_ident(), *in_threads(inner, [1, 2, 3], journal)}

    for mesh, used in in_threads(work, [0, 1], silent_journal()):
        assert mesh is None
        assert len(used) == 1


def test_without_a_second_device_parts_run_in_turn(monkeypatch):
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
    here = threading.get_ident()
    assert in_threads(lambda item, journal: threading.get_ident(), [1, 2], silent_journal()) == [
        here,
        here,
    ]


def test_the_first_error_ends_the_others_at_their_next_row(two):
    begun, ended = threading.Event(), []
    end = time.monotonic() + children.PATIENCE

    def work(item, journal):
        if item == "bad":
            assert begun.wait(children.PATIENCE)
            raise FloatingPointError("train/loss is nan at step 3")
        try:
            for step in itertools.count(1):
                journal.scope(item).log(step, {"x": step})
                begun.set()
                assert time.monotonic() < end, "nobody stopped it"
        except threads.Stopped:
            ended.append(item)
            raise

    with pytest.raises(FloatingPointError, match="step 3"):
        in_threads(work, ["good", "bad", "never"], silent_journal())
    assert "good" in ended


def test_rows_of_several_threads_are_whole_and_counted_by_scope(two, tmp_path):
    disk = journals.DiskJournal(
        tmp_path, [], every=0.0, mirror=lambda row: None, show=lambda *line: None
    )

    def work(name, journal):
        own = journal.scope(name)
        for step in range(1, 201):
            own.log(step, {"x": step})
            own.save(step, jnp.full(3, step))

    in_threads(work, ["a", "b", "c"], disk.journal())
    disk.close()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    for name in "abc":
        assert [row["step"] for row in rows if row["scope"] == name] == list(range(1, 201))
    assert journals.checkpoints(tmp_path) == dict.fromkeys("abc", (200, 200))


def test_training_in_threads_is_training_in_turn_to_the_bit(monkeypatch):
    x = jax.random.normal(jax.random.key(0), (40, 30))
    stream = train.shuffled((x, x.sum(axis=1)), 8)

    def loss(params, batch, key):
        x, y = batch
        noisy = x + 0.1 * jax.random.normal(key, x.shape, x.dtype)
        return ((jnp.tanh(noisy @ params["in"]) @ params["out"] - y) ** 2).mean(), {}

    def work(seed, journal):
        one, two = jax.random.split(jax.random.key(seed))
        start = {"in": jax.random.normal(one, (30, 20)), "out": jnp.zeros(20)}
        fitted = train.fit(
            two, start, loss, stream, optax.adam(0.05), steps=30, log_every=10, journal=journal
        )
        return jax.tree.map(np.asarray, fitted)

    found = []
    for at_once in (1, 2):
        monkeypatch.setattr(threads, "_at_once", lambda at_once=at_once: at_once)
        found.append(in_threads(work, [1, 2, 3, 4], silent_journal()))
    jax.tree.map(np.testing.assert_array_equal, *found)
    assert not np.array_equal(found[0][0]["out"], found[0][1]["out"])


@pytest.mark.slow
def test_ctrl_c_ends_all_parts(tmp_path):
    code = """
import itertools, os, signal, threading
from feedrun.train import threads
from feedrun.experiment import silent_journal
threads._at_once = lambda: 2
both, waited_for, caught = threading.Barrier(3), threading.Event(), threading.Event()
def once(*_):
    if not caught.is_set():
        caught.set()
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, once)
def work(item, journal):
    for step in itertools.count(1):
        if item == 1: return
        journal.log(step, {})
        if step == 1: both.wait()
def interrupt():
    both.wait()
    waited_for.wait()
    while not caught.wait(0.1):  # a thread about to wait may sleep on after one signal
        os.kill(os.getpid(), signal.SIGINT)
interrupter = threading.Thread(target=interrupt)
interrupter.start()
journal = silent_journal()._replace(progress=lambda done, total: waited_for.set())
try:
    threads.in_threads(work, [1, 2, 3, 4, 5], journal)
except KeyboardInterrupt:
    interrupter.join()
    print("ended", threading.active_count())
"""
    done = children.run([sys.executable, "-c", code])
    assert done.stdout == "ended 1\n", done.stderr
