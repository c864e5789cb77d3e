"""One node or several, at equal numbers of features? Exact x^2 times exponentials."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.experiment import Estimate, Journal
from feedrun.maths import kernel_sums, stats
from feedrun.maths.linear_attention import quadratic_attention
from feedrun.papers.slay.attention.mechanisms import DELTA, KERNELS, Sizes
from feedrun.papers.slay.kernel import fidelity

EXPECTED = {
    "gaussian": {
        16: (0.354, 0.419, 0.454, 0.490),
        64: (0.222, 0.389, 0.400, 0.411),
        256: (0.127, 0.267, 0.283, 0.318),
    },
    "correlated": {16: (0.576, 0.597, 0.605, 0.614), 256: (0.516, 0.514, 0.522, 0.520)},
}
"""Data -> features in all -> errors measured beforehand, with 1, 2, 3, 4 nodes."""

ONE_NODE = {16: 0.354, 32: 0.289, 64: 0.222, 256: 0.127}
"""Features on one node -> the error measured beforehand, Gaussian data."""


def by_scores(
    name: str, key: Key[Array, ""], sizes: Sizes, q: Any, k: Any, v: Any
) -> Float[Array, "T E"]:
    """The same of one of KERNELS from all scores at once: cheaper where features are many."""
    weights = partial(kernel_sums.scores, KERNELS[name](key, q.shape[1], sizes))
    return quadratic_attention(weights, q, k, v, causal=True, delta=DELTA)


def errors(
    key: Key[Array, ""],
    data: fidelity.Heads,
    rows: Sequence[fidelity.Row],
    eps: float,
    journal: Journal,
    progress: fidelity.Progress,
) -> np.ndarray:
    """Errors of kernels by scores against exact attention, (row, N, R)."""
    exact = fidelity.Row("yat", "yat", Sizes(nodes=1, prf=1, poly=1, eps=eps))
    truth = fidelity.output(key, data, exact)
    found = np.zeros((len(rows), *data.v.shape[:2]))
    done, found = journal.restore(found) or (0, found)
    for step, row in enumerate(rows):
        if step >= done:
            found[step] = fidelity.compare(fidelity.output(key, data, row, by_scores), truth)[0]
            journal.save(step + 1, found, final=step + 1 == len(rows))
        progress()
    return found


def differences(
    found: np.ndarray, square: np.ndarray, nodes: Sequence[int], budgets: Sequence[int]
) -> dict[str, Any]:
    """What the claims ask of errors (R, budget, N, seed) and of those of the square, (N, seed).

    Of nodes and budgets that were not measured nothing is said.
    """
    summary: dict[str, Any] = {}
    if nodes[0] == 1 and len(nodes) > 1:
        more = found[1:, :, 0].min(axis=0) - found[0, :, 0]
        summary["best_of_more_nodes"] = more.min(axis=0).tolist()
    for n, kind in enumerate(fidelity.DATA):
        apart = [
            (found[i, j, n], EXPECTED[kind][budget][R - 1])
            for i, R in enumerate(nodes)
            for j, budget in enumerate(budgets)
            if budget in EXPECTED[kind] and len(EXPECTED[kind][budget]) >= R
        ]
        summary |= {f"nodes_{kind}_difference": furthest(apart)} if apart else {}
    one = {b: found[list(nodes).index(1), j, 0] for j, b in enumerate(budgets) if 1 in nodes}
    apart = [(one[budget], value) for budget, value in ONE_NODE.items() if budget in one]
    summary |= {"one_node_difference": furthest(apart)} if apart else {}
    for budget in {32, 256} & one.keys():
        summary[f"exponentials_{budget}_less_square"] = (one[budget] - square[0]).tolist()
    return summary


def furthest(pairs: Sequence[tuple[np.ndarray, float]]) -> Estimate:
    """Largest |mean - expected| of some repeats (seed,), and the largest ends of its intervals."""
    ends = []
    for values, expected in pairs:
        low, high = (end - expected for end in stats.mean_interval(values))
        nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        ends.append((abs(values.mean() - expected), nearest, max(abs(low), abs(high))))
    return Estimate(*(float(max(column)) for column in zip(*ends, strict=True)))
