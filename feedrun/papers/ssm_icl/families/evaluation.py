"""A family's predictors side by side on the same sequences."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from feedrun.papers.ssm_icl.families import base, scores
from feedrun.papers.ssm_icl.families.base import Family


class Evaluation(NamedTuple):
    """Predictions (B, T, O) by name on one set of sequences; y is (B, T, O), one-hot for symbols.

    Sequences that do not count are left out. `losses` are squared errors or cross-entropies (B, T).
    """

    y: np.ndarray
    predictions: Mapping[str, np.ndarray]
    losses: Mapping[str, np.ndarray]
    kept: float


def evaluate(
    family: Family,
    key: jax.Array,
    *,
    count: int,
    length: int,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Predictors of a family on fresh sequences; call inside jit, then `evaluation`.

    `only` names the estimators to run (default: all) beside the genie and Bayes.
    """
    batch = family.sample(key, count=count, length=length)
    chosen = {k: v for k, v in family.estimators.items() if only is None or k in only}
    named = {"genie": family.genie, "bayes": family.bayes, **chosen}
    once = {predict: predict(batch) for predict in dict.fromkeys(named.values()) if predict}
    found = {name: once[predict] for name, predict in named.items() if predict}
    y = batch.targets
    losses = {name: base.loss(family, guess, batch) for name, guess in found.items()}
    y = y if family.kind == "number" else jax.nn.one_hot(y, family.outputs)
    return {"y": y, "predictions": found, "losses": losses, "kept": batch.kept}


def evaluation(found: Mapping[str, Any]) -> Evaluation:
    """What `evaluate` returned, without the sequences that do not count."""
    kept = np.asarray(found["kept"]) > 0
    own = {
        k: jax.tree.map(lambda leaf: np.asarray(leaf)[kept], found[k])
        for k in Evaluation._fields[:3]
    }
    return Evaluation(**own, kept=float(kept.mean()))


def floor_scores(one: Evaluation) -> list[scores.Floor]:
    """Excess over the genie, in standard errors, of every predictor that is not the genie."""
    genie = one.losses["genie"]
    return [scores.floor(loss, genie) for name, loss in one.losses.items() if name != "genie"]


def orthogonality_scores(one: Evaluation) -> list[float]:
    """Orthogonality to Bayes of every estimator of a family of numbers."""
    rest = [name for name in one.predictions if name not in ("genie", "bayes")]
    bayes = one.predictions["bayes"]
    return [scores.orthogonality(one.y, bayes, one.predictions[name]) for name in rest]


def curves(excess: np.ndarray, repeats: int) -> np.ndarray:
    """Means over the sequences of each repeat, (R, T), from (B, T)."""
    share = len(excess) // repeats
    return excess[: share * repeats].reshape(repeats, share, *excess.shape[1:]).mean(axis=1)


def squared(one: Evaluation, name: str, reference: str) -> np.ndarray:
    """(f - m)^2 of two predictors of numbers, (B, T)."""
    return ((one.predictions[name] - one.predictions[reference]) ** 2).sum(axis=-1)
