"""lra_data: how long the generated tasks of Long Range Arena take, on one core.

Gates: 100,000 ListOps expressions of the benchmark's lengths within a minute; Pathfinder 32 at
least 20 times faster than the 0.15 s an image of the reference generator.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from feedrun.tasks.lra import listops, pathfinder
from scripts.bench.case import Case, Contestant, Gate

LIMITS = {"shortest": 500, "longest": 2000, "max_depth": 10, "max_args": 10}
EXPRESSIONS, DRAWN, CHECKED = 100_000, 10_000, 100
REFERENCE = 0.15
"""Seconds an image of 32 x 32 of the reference generator (measured beforehand)."""

IMAGES = {("hard", 32): 1000, ("easy", 32): 1000, ("hard", 64): 40, ("hard", 128): 40}


def cases() -> list[Case]:
    """ListOps, then Pathfinder by difficulty and side."""
    return [_listops(), *(_pathfinder(*what, count) for what, count in IMAGES.items())]


def _listops() -> Case:
    share = DRAWN / EXPRESSIONS
    ours = Contestant(_expressions, share=share, note=f"{DRAWN:,} drawn")
    return Case(
        f"lra_data {EXPRESSIONS:,} ListOps expressions",
        {"tokens": "500 to 2,000"},
        lambda seed: seed,
        {"feedrun": ours},
        _wrong,
        tol=0.0,
        gates=(Gate("seconds", at_most=60),),
    )


def _expressions(seed: int) -> Callable[[], Any]:
    """Past the cache of `listops.generate`."""
    return lambda: listops._flat(DRAWN, listops._draws(seed, LIMITS))


def _wrong(seed: int, output: dict[str, Any], contestant: Contestant) -> float:
    """Share of some labels that are not what reading the expression gives."""
    rows = np.split(output["tokens"], np.cumsum(output["lengths"])[:-1])[:CHECKED]
    read = [_value(iter(listops.SYMBOLS[token - 1] for token in row)) for row in rows]
    return float(np.mean(np.array(read) != output["labels"][:CHECKED]))


def _value(words: Any) -> int | None:
    """What the next expression of an iterator comes to; None at a closing bracket."""
    word = next(words)
    if not word.startswith("["):
        return None if word == "]" else int(word)
    below: list[int] = []
    while (value := _value(words)) is not None:
        below.append(value)
    apply: Any = {"[MIN": min, "[MAX": max, "[MED": np.median, "[SM": lambda v: sum(v) % 10}[word]
    return int(apply(below))


def _pathfinder(difficulty: str, side: int, count: int) -> Case:
    allowed = REFERENCE / 20 * count
    return Case(
        f"lra_data {count:,} Pathfinder images, {side} x {side}, {difficulty}",
        {"pixels": side * side},
        lambda seed: seed,
        {"feedrun": Contestant(partial(_images, difficulty, side, count))},
        partial(_not_drawn_again, difficulty, side),
        tol=0.0,
        gates=(Gate("seconds", at_most=allowed),) if side == 32 else (),
    )


def _images(difficulty: str, side: int, count: int, seed: int) -> Callable[[], Any]:
    """Past the cache of `pathfinder.generate`."""
    labels, known = np.arange(count) % 2, {"side": side, "difficulty": difficulty}
    return lambda: pathfinder._chunk(np.random.default_rng((seed, 0)), labels, known)


def _not_drawn_again(
    difficulty: str, side: int, seed: int, output: Any, contestant: Contestant
) -> float:
    """Share of pixels that the same seed does not give again."""
    return float(np.mean(_images(difficulty, side, len(output), seed)() != output))
