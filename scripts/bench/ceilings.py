"""What this machine can do at best, measured in the same run: products, copies, exponentials."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

SIDE = 2048
MATMUL_FLOPS = 2 * SIDE**3
COPIED = 2**28
"""Bytes of the array that is copied (read once and written once)."""

EXPS = 2**24


def measure(repeats: int = 5) -> dict[str, float]:
    """Best of `repeats`: GFLOP/s of square products, GB/s of a copy, Gexp/s inside a sum."""
    with jax.enable_x64(True):
        single, double = matmul("float32"), matmul("float64")
        copy, exps = _copy(), _exps()
        return {
            "matmul float32 GFLOP/s": MATMUL_FLOPS / _best(single, repeats) / 1e9,
            "matmul float64 GFLOP/s": MATMUL_FLOPS / _best(double, repeats) / 1e9,
            "copy GB/s (read + written)": 2 * COPIED / _best(copy, repeats) / 1e9,
            "exp float32 G/s": EXPS / _best(exps, repeats) / 1e9,
        }


def matmul(dtype: str) -> Callable[[], Any]:
    """A call of one SIDE x SIDE matrix product."""
    x = jax.random.normal(jax.random.key(0), (SIDE, SIDE), dtype)
    product = jax.jit(lambda x: x @ x)
    return lambda: product(x)


def _copy() -> Callable[[], Any]:
    x = jnp.zeros(COPIED // 4, jnp.float32)
    shifted = jax.jit(lambda x: x + 1)
    return lambda: shifted(x)


def _exps() -> Callable[[], Any]:
    x = jnp.linspace(-1, 1, EXPS, dtype=jnp.float32)
    total = jax.jit(lambda x: jnp.exp(x).sum())
    return lambda: total(x)


def _best(call: Callable[[], Any], repeats: int) -> float:
    jax.block_until_ready(call())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return min(times)
