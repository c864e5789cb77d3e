"""The maths floor is stricter still: no dtype may be promoted silently."""

import jax
import pytest


@pytest.fixture(autouse=True)
def strict_dtypes():
    """Raise where two dtypes meet (optimisers do not pass this, so it stays on this floor)."""
    with jax.numpy_dtype_promotion("strict"):
        yield
