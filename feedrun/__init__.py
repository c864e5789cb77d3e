"""A command-line laboratory for theory papers on deep learning.

In Python: `feedrun.load`, `feedrun.frame`, `feedrun.curves` and `feedrun.run`, see
`feedrun.notebook`. Importing feedrun alone imports none of what they need; it keeps a jax that has
not started yet from a fusion that sums wrongly and lets it compile quickly, see `runtime.setup`.
"""

from typing import TYPE_CHECKING, Any

from feedrun.runtime.setup import quick_compiling, sound_sums

if TYPE_CHECKING:
    from feedrun.notebook import curves, frame, load, run

__all__ = ["curves", "frame", "load", "run"]

# At import, and not in a command's set-up: two releases of jaxlib sum products wrongly until they
# are told not to, and a flag of XLA counts only before jax has computed anything.
sound_sums()
quick_compiling()


def __getattr__(name: str) -> Any:
    if name in __all__:
        import importlib

        return getattr(importlib.import_module("feedrun.notebook"), name)
    raise AttributeError(f"module 'feedrun' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
