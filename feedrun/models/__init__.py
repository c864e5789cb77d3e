"""Networks as (init, apply) pairs; flax lives here and nowhere else."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Model(NamedTuple):
    """init(key) -> params; apply(params, x) -> y for one example (batch with vmap)."""

    init: Callable[[Any], Any]
    apply: Callable[[Any, Any], Any]
