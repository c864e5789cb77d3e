"""What an attention costs: time and memory of a training step, and the size of its state."""

import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedrun.maths.kernel_sums import fused
from feedrun.papers.slay.attends import KERNELS, Sizes
from feedrun.papers.slay.lra_training import Program
from feedrun.tasks.sequences import Sequences

PEAK_SIDE = 2048
"""Of the square matrices whose product says what the device can do."""


class Cost(NamedTuple):
    """Of training steps of one model on one device.

    tokens_per_second: without padding; temp_megabytes: what the compiled step needs beside its
    inputs and outputs (XLA's own account); dense_share: of the device's matrix product rate, what
    the weights' 6 operations a weight and token amount to (attention itself is not counted).
    """

    tokens_per_second: float
    temp_megabytes: float
    dense_share: float


def cost(
    program: Program, params: Any, data: Sequences, *, batch: int, peak: float, rounds: int
) -> Cost:
    """Median of `rounds` steps with the first `batch` sequences, after one that is not timed."""
    rows = jax.tree.map(lambda x: jnp.asarray(x[:batch]), tuple(data))
    state = (params, program.optimizer.init(params))
    step = jax.jit(partial(_step, program)).lower(state, rows, jax.random.key(0)).compile()
    seconds = _median(lambda: step(state, rows, jax.random.key(0)), rounds)
    tokens = int(np.sum(data.lengths[:batch]))
    matrices = [leaf for leaf in jax.tree.leaves(params["weights"]) if leaf.ndim == 2]
    weights = sum(leaf.size for leaf in matrices) - _looked_up(params["weights"])
    speed = tokens / seconds
    account: Any = step.memory_analysis()
    memory = account.temp_size_in_bytes / 2**20
    return Cost(speed, memory, 6 * weights * speed / peak)


def peak(dtype: Any, *, rounds: int) -> float:
    """Operations a second of one product of square matrices."""
    a = jnp.ones((PEAK_SIDE, PEAK_SIDE), dtype)
    product = jax.jit(lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32))
    return 2 * PEAK_SIDE**3 / _median(lambda: product(a), rounds)


def features(name: str, dimension: int, sizes: Sizes) -> int | None:
    """How many features a head's state is made of, M (E + 1) numbers; None: all keys are kept."""
    if name == "cosformer":
        return 2 * dimension
    if name not in KERNELS:
        return None

    def phi(key, u):
        return fused(KERNELS[name](key, dimension, sizes).phi_k(u))

    row = jax.ShapeDtypeStruct((1, dimension), jnp.float32)
    return jax.eval_shape(phi, jax.eval_shape(jax.random.key, 0), row).shape[1]


def _step(program: Program, state, batch, key):
    params, opt_state = state
    grads, _ = jax.grad(program.loss, has_aux=True)(params, batch, key)
    updates, opt_state = program.optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def _looked_up(weights) -> int:
    """Numbers in tables, of which a token takes one row and multiplies nothing."""
    encoder = weights["encoder"]
    tables = [encoder["tokens"]["embedding"], encoder["positions"], encoder.get("cls")]
    return sum(table.size for table in tables if table is not None)


def _median(work, rounds: int) -> float:
    """Seconds of one call, the first left out."""
    jax.block_until_ready(work())
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(work())
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
