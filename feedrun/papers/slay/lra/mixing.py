"""What takes the place of attention in slay_lra, by its name, and how much that remembers."""

from functools import partial
from typing import Any

from feedrun.models import bidirectional
from feedrun.models.bidirectional import Recurrence
from feedrun.papers.slay.attention.mechanisms import (
    ATTENDS,
    CONFIGURATIONS,
    EXACT_NEAR,
    KERNELS,
    Sizes,
)
from feedrun.papers.slay.attention.pairwise import by_pairs
from feedrun.papers.slay.lra import cost
from feedrun.papers.slay.lra.config import LongRange

CHUNK = 256
"""Positions at a time where that changes nothing but time and memory."""

SCANNED = 64
"""Positions that a recurrence takes at once; changes nothing but time either."""


def mechanism(
    name: str, dimension: int, *, chunk: int, pairs: bool, longest: int
) -> tuple[Any, Sizes]:
    """draw(key) -> attend for one head, and its sizes; FAVOR+ and ReLU have SLAY's m features.

    `pairs`: kernels run by all pairs of positions; `longest`: of the sequences that there may be.
    """
    sizes = CONFIGURATIONS["class" if name == "slay_class" else "table"]
    m = sizes.nodes * sizes.prf * sizes.poly
    sizes = sizes._replace(features=m, longest=longest)
    sizes = sizes._replace(chunk=chunk if name in EXACT_NEAR else CHUNK)
    name = "slay" if name == "slay_class" else name
    draw: Any = by_pairs(name) if pairs and name in KERNELS else ATTENDS[name]
    return partial(draw, dimension=dimension, sizes=sizes), sizes


def mixing(cfg: LongRange, name: str) -> tuple[Any, Sizes]:
    """The same at the config's sizes, or the recurrence that takes the place of attention."""
    m = cfg.sizes.model
    longest = cfg.sizes.data.length + (m.pool == "cls")
    if name == "ssd":
        return Recurrence(cfg.states, SCANNED), CONFIGURATIONS["table"]
    dimension = m.qkv // m.heads
    return mechanism(name, dimension, chunk=cfg.chunk, pairs=cfg.by_pairs, longest=longest)


def remembered(cfg: LongRange, name: str) -> tuple[int | None, int | None]:
    """Features of a head, and numbers that a layer's state holds; None where there is no such."""
    m = cfg.sizes.model
    how, sizes = mixing(cfg, name)
    if isinstance(how, Recurrence):
        return None, bidirectional.state(how, m.width, m.heads, m.qkv)
    dimension = m.qkv // m.heads
    features = cost.features("slay" if name == "slay_class" else name, dimension, sizes)
    return features, cost.state(features, dimension, m.heads)
