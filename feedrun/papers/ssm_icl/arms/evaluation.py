"""Held-out sequences with the predictions of all that is known: for evaluating trained arms."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from feedrun.papers.ssm_icl.families import Batch, Family, scores
from feedrun.train.slabs import in_slabs


class EvalSet(NamedTuple):
    """B sequences that count, drawn once for all arms.

    batch:       on the device, for probes and predictors.
    references:  predictions (B, T, O) of "genie", "bayes" (where there is one) and estimators.
    """

    family: Family
    batch: Batch
    references: Mapping[str, np.ndarray]


def draw(
    family: Family,
    key: Any,
    *,
    count: int,
    length: int,
    only: Collection[str] | None = None,
    slab: int = 64,
) -> EvalSet:
    """An evaluation set of `count` sequences; `only`: estimators to run beside genie and Bayes.

    Predictors see `slab` sequences at a time.
    """
    batch = jax.jit(partial(family.sample, count=count, length=length))(key)
    kept = np.flatnonzero(np.asarray(batch.kept) > 0)
    if len(kept) < count:
        batch = jax.tree.map(lambda leaf: leaf[kept], batch)
    chosen = {k: v for k, v in family.estimators.items() if only is None or k in only}
    named = {"genie": family.genie, "bayes": family.bayes, **chosen}
    return EvalSet(family, batch, {k: _predicted(f, batch, slab) for k, f in named.items() if f})


def _predicted(predict: Callable[[Batch], Any], batch: Batch, slab: int) -> np.ndarray:
    """A reference's predictions, `slab` sequences at a time (the last padded with the first)."""
    return in_slabs(jax.jit(predict), batch, slab)


def risk(eval_set: EvalSet, predictions: Any) -> Float[np.ndarray, "*R B T"]:
    """Squared error or cross-entropy of every target; predictions (*R, B, T, O)."""
    predictions, y = np.asarray(predictions, float), np.asarray(eval_set.batch.targets)
    if eval_set.family.kind == "number":
        return ((predictions - y) ** 2).sum(axis=-1)
    index = np.broadcast_to(y[..., None], (*predictions.shape[:-1], 1))
    return -np.take_along_axis(predictions, index, axis=-1)[..., 0]


def excess(eval_set: EvalSet, predictions: Any, over: str) -> Float[np.ndarray, "*R B T"]:
    """Of predictions (*R, B, T, O) over a reference: (f - m)^2, or KL(m || f) in nats.

    Its mean is the difference of the risks; see `families.excess`.
    """
    f, m = np.asarray(predictions, float), np.asarray(eval_set.references[over], float)
    if eval_set.family.kind == "number":
        return ((f - m) ** 2).sum(axis=-1)
    return (np.exp(m) * (m - f)).sum(axis=-1)


def leaks(eval_set: EvalSet, predictions: Float[np.ndarray, "R B T O"]) -> list[scores.Floor]:
    """For every repeat: how far above the genie, in standard errors."""
    genie = risk(eval_set, eval_set.references["genie"])
    return [scores.floor(own, genie) for own in risk(eval_set, predictions)]
