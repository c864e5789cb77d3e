"""The strict switches of the test suite: float64, no silent broadcasting, no key used twice."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="session")
def strict_jax(tmp_path_factory):
    """Turn on x64, raising rank promotion and key-reuse checks, and a shared compile cache."""
    from feedrun import process

    process.compilation_cache(process.cache_folder() / "tests")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_debug_key_reuse", True)
