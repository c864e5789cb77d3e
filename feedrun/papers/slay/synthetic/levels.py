"""What accuracy the synthetic tasks give away, and what more than that no causal model can reach.

`guess`: the most frequent target of each position. `CEILINGS`: the best prediction from the tokens
so far, in float64. `EXPECTED` says which of the two the published table sits at, task by task.
Tasks without an entry there carry information.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import stats

from feedrun.tasks.synthetic import TASKS

EXPECTED: dict[str, Literal["ceiling", "guess", "first"]] = {
    "copy": "ceiling",
    "parity": "guess",
    "modular": "guess",
    "long_copy": "ceiling",
    "multihop": "guess",
    "retrieval": "ceiling",
    "kv_recall": "guess",
    "selective_copy": "guess",
    "bigram": "ceiling",
    "histogram": "ceiling",
    "stack": "ceiling",
    "induction": "guess",
    "pattern": "ceiling",
    "noisy_copy": "ceiling",
    "compression": "first",
}
"""`first`: the guess, but for the first position, whose target is its own token."""

UNSOLVABLE = (
    "sort",
    "reverse",
    "selective_copy",
    "histogram",
    "stack",
    "pattern",
    "compression",
)
"""Their targets are not a function of the tokens up to their position."""

SORT_DRAWS = 4000


def guess(targets: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Accuracy of the most frequent target, position by position: (T,), NaN where none is scored.

    (N, T) each; the target is chosen on the first half of the samples and scored on the second, so
    that chance agreements do not flatter it.
    """
    half = len(targets) // 2
    found = np.full(targets.shape[1], np.nan)
    for t in np.flatnonzero(scored[half:].any(axis=0)):
        seen = targets[:half, t][scored[:half, t]]
        said = np.bincount(seen).argmax() if len(seen) else 0
        found[t] = np.mean(targets[half:, t][scored[half:, t]] == said)
    return found


def expected(name: str, targets: np.ndarray, scored: np.ndarray) -> float:
    """The level that a task of EXPECTED gives away."""
    if EXPECTED[name] == "ceiling":
        return CEILINGS[name]()
    by_position = guess(targets, scored)
    if EXPECTED[name] == "first":
        by_position[0] = 1.0
    return pooled(by_position, scored)


def pooled(by_position: np.ndarray, scored: np.ndarray) -> float:
    """Accuracies of positions (T,) weighed by how often each is scored (N, T)."""
    weights = scored.mean(axis=0)
    return float(np.nansum(by_position * weights) / weights.sum())


def solvable() -> float:
    """1: all that the target needs has been read by then."""
    return 1.0


def reverse() -> float:
    """Half of the targets have been read; the others are uniform."""
    return 0.5 + 0.5 / TASKS["reverse"].vocabulary


def pattern() -> float:
    """Before the period is complete the next token is uniform, three times."""
    length, vocabulary = TASKS["pattern"].length, TASKS["pattern"].vocabulary
    return (length - 3 + 3 / vocabulary) / length


def selective_copy() -> float:
    """Where one marker follows another, what was drawn there is hidden, and uniform."""
    task = TASKS["selective_copy"]
    half, marks, tokens = task.length // 2, task.length // 8, task.vocabulary - 1
    hidden = marks * (marks - 1) / half
    return 1 - hidden / task.length * (1 - 1 / tokens)


def histogram() -> float:
    """At position i: what is still to come of token i is Binomial(T - 1 - i, 1/5)."""
    length, largest = TASKS["histogram"].length, TASKS["histogram"].vocabulary - 1
    known = sum(_mode(length - 1 - i, 0.2, largest) for i in range(5))
    return (length - 5 + known) / length


def stack() -> float:
    """All but the popped values, which are uniform: depth is a birth and death chain."""
    length, values = TASKS["stack"].length, TASKS["stack"].vocabulary - 2
    depth, pops = np.eye(length + 1)[0], 0.0
    for _ in range(length):
        popped, pushed = 0.3 * depth[1:], np.append(0.5, np.full(length, 0.35)) * depth
        pops += popped.sum()
        depth = depth - np.append(0, popped) - pushed
        depth[:-1] += popped
        depth[1:] += pushed[:-1]
    return 1 - pops / length * (1 - 1 / values)


def sort() -> float:
    """At position i: the most likely value of the order statistic i, given i + 1 of the tokens.

    Exact given these tokens, which are drawn (SORT_DRAWS sequences, standard error below 0.002).
    """
    return sort_ceiling(TASKS["sort"].length, TASKS["sort"].vocabulary, draws=SORT_DRAWS)


def sort_ceiling(length: int, vocabulary: int, *, draws: int) -> float:
    """The same for other sizes."""
    x = np.random.default_rng(0).integers(0, vocabulary, (draws, length))
    share = np.arange(1, vocabulary + 1) / vocabulary
    best = np.zeros((draws, length))
    for i in range(length):
        below = (x[:, : i + 1, None] <= np.arange(vocabulary)[None, None]).sum(axis=1)
        # at most v: i + 1 - below or more of the rest must be at most v, too
        at_most = stats.binom.sf(i - below, length - 1 - i, share[None])
        best[:, i] = np.diff(at_most, axis=1, prepend=0).max(axis=1)
    return float(best.mean())


CEILINGS: dict[str, Callable[[], float]] = {
    **dict.fromkeys((name for name in TASKS if name not in UNSOLVABLE), solvable),
    "sort": sort,
    "reverse": reverse,
    "selective_copy": selective_copy,
    "histogram": histogram,
    "stack": stack,
    "pattern": pattern,
}
"""Closed forms, up to the draws of `sort`; compression has none here."""


def _mode(trials: int, chance: float, largest: int) -> float:
    """The largest probability of a binomial count, all counts from `largest` on being one."""
    pmf = stats.binom.pmf(np.arange(largest), trials, chance)
    return float(max(pmf.max(), stats.binom.sf(largest - 1, trials, chance)))
