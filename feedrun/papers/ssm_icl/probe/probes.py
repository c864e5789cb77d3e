"""Ridge probes from hidden streams: one linear map for all tokens, and what it gets right.

Sequences to fit, to choose the penalty on and to test on are drawn from streams that never meet.
A probe sees the residual stream after every block, side by side and standardised. Position n is
the token after n observations; the first token, which has seen nothing, is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from feedrun.experiment import Config, Count
from feedrun.maths import ridge
from feedrun.papers.ssm_icl.families import Batch, Family
from feedrun.papers.ssm_icl.probe import targets
from feedrun.papers.ssm_icl.probe.targets import Asked


class Probing(Config):
    """Sequences to fit, choose and test probes on; observations that the control sees.

    after: scores are averaged over the positions after so many observations or more.
    """

    fit: Count
    choose: Count
    test: Count
    lags: Count
    after: Count
    penalties: list[float]
    slab: Count


class Data(NamedTuple):
    """Sequences (fit, choose, test) with the truth of every target, (B, T, K) by name.

    attainable, genie: what is known of the targets by whom, on the sequences of the test.
    """

    batches: tuple[Batch, Batch, Batch]
    truths: tuple[Mapping[str, np.ndarray], ...]
    attainable: Mapping[str, np.ndarray]
    genie: Mapping[str, np.ndarray]


class Score(NamedTuple):
    """R^2 by target: averaged (R,) over positions from `after` on, and at each one (R, T - 1)."""

    average: Mapping[str, np.ndarray]
    by_position: Mapping[str, np.ndarray]


Features = Callable[[Batch], Float[np.ndarray, "B T D"]]


def data(family: Family, asked: Asked, keys: Any, test: Batch, cfg: Probing, length: int) -> Data:
    """`keys`: two, for the sequences to fit and to choose on; `test`: an evaluation set's."""
    draw = jax.jit(partial(family.sample, length=length), static_argnames="count")
    batches = (draw(keys[0], count=cfg.fit), draw(keys[1], count=cfg.choose), test)
    truths = tuple(targets.run(asked.truth, batch) for batch in batches)
    seen = targets.run(asked.attainable, test), targets.run(asked.genie, test)
    return Data(batches, truths, *seen)


def hidden(apply: Callable[[Any, Any], Any], params: Any, slab: int) -> Features:
    """The hidden streams of one network; `apply(params, inputs)` is compiled once a shape."""

    def features(batch: Batch) -> np.ndarray:
        count, parts = len(batch.inputs), []
        for start in range(0, count, slab):
            rows = np.arange(start, start + slab) % count
            parts.append(np.asarray(apply(params, batch.inputs[rows])))
        return np.concatenate(parts)[:count]

    return features


def streams(arm: Any) -> Callable[[Any, Any], Any]:
    """hidden(params, inputs (B, S, I)) -> (B, S, D) of an arm, compiled."""
    return jax.jit(lambda params, inputs: jax.vmap(partial(arm.hidden, params))(inputs))


def last(lags: int) -> Features:
    """The control: the last `lags` tokens as they came, zeros before the first."""

    def features(batch: Batch) -> np.ndarray:
        x = np.asarray(batch.inputs)
        padded = np.pad(x, ((0, 0), (lags - 1, 0), (0, 0)))
        return np.concatenate([padded[:, k : k + x.shape[1]] for k in range(lags)], axis=-1)

    return features


def read(data: Data, readers: Iterable[Features], cfg: Probing) -> Score:
    """Fit a probe to each reader's features, and evaluate them; R is the number of readers."""
    names, guesses = list(data.truths[0]), []
    for features in readers:
        x_fit, x_held, x_test = (features(batch)[:, 1:] for batch in data.batches)
        y_fit, y_held = (_columns(truth) for truth in data.truths[:2])
        fit = ridge.chosen(_flat(x_fit), y_fit, _flat(x_held), y_held, cfg.penalties)
        guesses.append(ridge.predict(fit, x_test))
    sizes = [data.truths[2][name].shape[-1] for name in names]
    parts = np.split(np.stack(guesses), np.cumsum(sizes)[:-1], axis=-1)
    return _score(data, dict(zip(names, parts, strict=True)), cfg.after)


def known(data: Data, guesses: Mapping[str, np.ndarray], after: int) -> Score:
    """The same of what is known without a probe, (B, T, K) by target; R = 1."""
    return _score(data, {name: guess[None, :, 1:] for name, guess in guesses.items()}, after)


def _score(data: Data, guesses: Mapping[str, np.ndarray], after: int) -> Score:
    average, by_position = {}, {}
    for name, guess in guesses.items():
        loss, constant = targets.losses(name, data.truths[2][name][:, 1:], guess)
        late = slice(after - 1, None)  # position n is column n - 1
        average[name] = 1 - loss[:, late].sum(axis=1) / constant[late].sum()
        # where nothing varies (a belief not yet moved) there is nothing to explain
        safe = np.where(constant > 1e-9, constant, np.nan)
        by_position[name] = 1 - loss / safe
    return Score(average, by_position)


def _columns(truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """All targets of all tokens, side by side."""
    return np.concatenate([_flat(value[:, 1:]) for value in truth.values()], axis=-1)


def _flat(x: Float[np.ndarray, "B T D"]) -> np.ndarray:
    return np.asarray(x, float).reshape(-1, x.shape[-1])


def network(params: Any, seed: int) -> Any:
    """One of R networks."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[seed], params)


def seeds(params: Any) -> int:
    """How many networks there are."""
    first: Array = jax.tree.leaves(params)[0]
    return len(first)
