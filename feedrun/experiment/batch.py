"""Runs that share one compiled program: one journal for all of them, and a run as a batch of one.

An experiment that can do this has `many(cfgs, keys, journal) -> one Result a run`, in which every
metric it logs and every leaf it saves has a leading axis of runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.experiment.contract import Journal, Result


def side_by_side(journals: Sequence[Journal]) -> Journal:
    """One journal for K runs: metrics (K, ...) and state leaves (K, ...) are dealt out to theirs.

    `restore` gives a state only where all K have one of the same step (raises ValueError
    otherwise: such runs do not belong into one batch); all K save at the same steps.
    """

    def log(step: int, metrics: Mapping[str, Any]) -> None:
        for k, journal in enumerate(journals):
            journal.log(step, {name: np.asarray(value)[k] for name, value in metrics.items()})

    def progress(done: int, total: int, metrics: Mapping[str, Any] | None = None) -> None:
        for k, journal in enumerate(journals):
            own = {name: np.asarray(value)[k] for name, value in (metrics or {}).items()}
            journal.progress(done, total, own)

    def save(step: int, state: Any, final: bool = False) -> bool:
        if not journals[0].save(step, _take(state, 0), final=final):
            return False
        for k, journal in enumerate(journals[1:], 1):
            journal.save(step, _take(state, k), final=True)
        return True

    return Journal(
        log=log,
        progress=progress,
        save=save,
        restore=lambda like: _stacked([j.restore(_take(like, k)) for k, j in enumerate(journals)]),
        scope=lambda name: side_by_side([journal.scope(name) for journal in journals]),
    )


def alone(many: Callable[..., list[Result]]) -> Callable[..., Result]:
    """The `run` of an experiment that has `many`: a batch of one."""

    def run(cfg: Any, key: jax.Array, journal: Journal) -> Result:
        (result,) = many([cfg], key[None], side_by_side([journal]))
        return result

    return run


def _take(tree: Any, k: int) -> Any:
    """Run k's part of a tree; keys are looked at, not spent."""
    return jax.tree.map(lambda leaf: (jax.random.clone(leaf) if _is_key(leaf) else leaf)[k], tree)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.prng_key)


def _stacked(found: list[tuple[int, Any] | None]) -> tuple[int, Any] | None:
    """The states of all runs on one leading axis, with the step that they share."""
    steps = {None if one is None else one[0] for one in found}
    if len(steps) > 1:
        raise ValueError(f"runs of one batch must have checkpoints of one step, got {steps}")
    states = [one[1] for one in found if one is not None]
    if not states:
        return None
    (step,) = steps
    return step or 0, jax.tree.map(lambda *leaves: _stack(leaves), *states)


def _stack(leaves: tuple[Any, ...]) -> Any:
    return jnp.stack(leaves) if isinstance(leaves[0], jax.Array) else np.stack(leaves)
