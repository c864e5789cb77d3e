"""One journal for several runs: everything is dealt out along the leading axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.experiment import Result, silent_journal
from feedrun.experiment.batch import alone, side_by_side


def memory(checkpoint=None, due=True):
    """A journal that remembers what it was told, and what that was."""
    told = {"log": [], "save": [], "progress": []}

    def save(step, state, final=False):
        if due or final:
            told["save"].append((step, state))
        return due or final

    journal = silent_journal(lambda step, metrics: told["log"].append((step, dict(metrics))))
    journal = journal._replace(
        save=save,
        progress=lambda done, total, metrics=None: told["progress"].append((done, total, metrics)),
        restore=lambda like: checkpoint,
        scope=lambda name: journal,
    )
    return journal, told


def test_each_run_gets_its_own_numbers():
    (first, one), (second, two) = memory(), memory()
    both = side_by_side([first, second]).scope("train")
    both.log(3, {"loss": np.array([1.0, 2.0]), "each": [[1, 2], [3, 4]]})
    both.progress(3, 9, {"loss": [1.0, 2.0]})
    assert one["log"][0][1]["loss"] == 1.0 and two["log"][0][1]["loss"] == 2.0
    assert two["log"][0][1]["each"].tolist() == [3, 4]
    assert one["progress"] == [(3, 9, {"loss": 1.0})]


def test_all_save_at_the_step_at_which_the_first_is_due():
    (first, one), (second, two) = memory(due=False), memory(due=True)
    both = side_by_side([first, second])
    assert not both.save(1, {"w": jnp.zeros((2, 3))})
    assert one["save"] == two["save"] == []
    assert both.save(2, {"w": jnp.arange(6.0).reshape(2, 3)}, final=True)
    assert two["save"][0][0] == 2 and two["save"][0][1]["w"].tolist() == [3.0, 4.0, 5.0]


def test_restore_puts_the_states_side_by_side():
    keys = jax.random.split(jax.random.key(0), 2)
    bits = jax.random.key_data(keys)
    own = [jax.random.wrap_key_data(row) for row in bits]
    states = [(7, {"w": jnp.full(3, float(k)), "n": np.int64(k), "key": own[k]}) for k in range(2)]
    both = side_by_side([memory(state)[0] for state in states])
    like = {"w": jnp.zeros((2, 3)), "n": np.zeros(2, int), "key": keys}
    step, state = both.restore(like) or pytest.fail("nothing restored")
    assert step == 7 and state["w"].tolist() == [[0.0] * 3, [1.0] * 3]
    assert state["n"].tolist() == [0, 1]
    assert (jax.random.key_data(state["key"]) == bits).all()
    nothing = side_by_side([memory()[0], memory()[0]])
    assert nothing.restore(like) is None


def test_runs_at_different_steps_are_refused():
    both = side_by_side([memory((1, jnp.zeros(3)))[0], memory((2, jnp.zeros(3)))[0]])
    with pytest.raises(ValueError, match="one step"):
        both.restore(jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="one step"):
        side_by_side([memory((1, jnp.zeros(3)))[0], memory()[0]]).restore(jnp.zeros((2, 3)))


def test_a_run_alone_is_a_batch_of_one():
    journal, told = memory()

    def many(cfgs, keys, journal):
        journal.log(1, {"x": jnp.arange(3.0, 4.0)})
        return [Result({"seen": float(len(cfgs))}, {"key": np.asarray(jax.random.key_data(keys))})]

    result = alone(many)({"lr": 1}, jax.random.key(5), journal)
    assert result.summary == {"seen": 1.0} and told["log"][0][1] == {"x": 3.0}
    assert (result.arrays["key"] == np.asarray(jax.random.key_data(jax.random.key(5)))[None]).all()
