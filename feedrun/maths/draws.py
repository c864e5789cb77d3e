"""Random numbers that are quick to compile."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

import jax
from jaxtyping import Array, Float, Key


def normals(key: Key[Array, ""], shapes: Sequence[tuple[int, ...]]) -> list[Float[Array, "..."]]:
    """Arrays of independent standard normal numbers, all from one draw.

    Every call of `jax.random.normal` becomes a generator and an inverse error function of its own:
    0.8 seconds of compiling each on a processor core, more under `jax.vmap`. Slices cost nothing.
    """
    ends = list(accumulate(map(math.prod, shapes), initial=0))
    drawn = jax.random.normal(key, (ends[-1],))
    return [
        drawn[start:end].reshape(shape)
        for (start, end), shape in zip(pairwise(ends), shapes, strict=True)
    ]
