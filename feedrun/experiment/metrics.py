"""Metrics by name: differences between arms, an only arm without its prefix, edges of a grid."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Pair = tuple[str, str]


def gaps(
    values: Mapping[str, Any], pairs: Iterable[Pair], *, alias: Mapping[str, str] | None = None
) -> dict[Pair, np.ndarray]:
    """values[a] - values[b] of every pair (a, b) of which both are there, paired over repeats.

    alias: names in pairs -> those in `values`; a pair of one value with itself is left out.
    """
    alias = alias or {}
    found = {}
    for a, b in pairs:
        first, second = alias.get(a, a), alias.get(b, b)
        if first in values and second in values and first != second:
            found[a, b] = np.subtract(values[first], values[second])
    return found


def paired(
    values: Mapping[str, Any],
    pairs: Iterable[Pair],
    name: str = "{}_minus_{}",
    *,
    alias: Mapping[str, str] | None = None,
) -> dict[str, list[float]]:
    """The same as metrics, one number a repeat: `name` is formatted with both names of a pair.

    values: name -> (R, ...); differences are averaged over all axes but the first.
    """
    return {
        name.format(a, b): gap.mean(axis=tuple(range(1, gap.ndim))).tolist()
        for (a, b), gap in gaps(values, pairs, alias=alias).items()
    }


def picked(metrics: Mapping[str, Any], pattern: str, names: Iterable[str]) -> dict[str, Any]:
    """name -> metrics[pattern of that name], for the names that have it."""
    keys = {name: pattern.format(name) for name in names}
    return {name: metrics[key] for name, key in keys.items() if key in metrics}


def alone(metrics: Mapping[str, Any], arms: Sequence[str]) -> dict[str, Any]:
    """What to add to metrics "<arm>/<quantity>": where there is one arm, the same as "<quantity>".

    A run of one arm is a cell of a sweep, whose runs share their metrics' names.
    """
    if len(arms) != 1:
        return {}
    prefix = f"{arms[0]}/"
    return {k.removeprefix(prefix): v for k, v in metrics.items() if k.startswith(prefix)}


def at_an_edge(rate: float, rates: Sequence[float]) -> bool:
    """Is it the least or the greatest of several? Then a better one may lie outside the grid."""
    return len(rates) > 1 and rate in (min(rates), max(rates))


def arms_at_an_edge(
    noted: Mapping[str, Mapping[str, Any]], rates: Sequence[float], *, part: str = ""
) -> list[str]:
    """Arms whose noted["rate"] is at an edge of the grid, as "<arm>" or "<part>/<arm>"."""
    prefix = f"{part}/" if part else ""
    return [prefix + arm for arm, own in noted.items() if at_an_edge(own["rate"], rates)]
