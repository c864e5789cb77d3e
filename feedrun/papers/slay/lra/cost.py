"""What an attention costs: time and memory of a training step, and the size of its state."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from feedrun.maths.kernel_sums import fused
from feedrun.papers.slay.attention.mechanisms import KERNELS, Sizes
from feedrun.papers.slay.lra.training import Program
from feedrun.papers.slay.throughput import dense_share, median_seconds
from feedrun.tasks.lra.sequences import Buckets


class Cost(NamedTuple):
    """Of training steps of one model on one device.

    tokens_per_second: without padding; temp_megabytes: what the compiled step needs beside its
    inputs and outputs (XLA's own account); dense_share: of the device's matrix product rate, what
    the weights' 6 operations a weight and token amount to (attention itself is not counted);
    seconds_per_step: the mean over groups of lengths, which take turns in training.
    """

    tokens_per_second: float
    temp_megabytes: float
    dense_share: float
    seconds_per_step: float


def cost(
    program: Program, params: Any, data: Buckets, *, batch: int, peak: float, rounds: int
) -> Cost:
    """Medians of `rounds` steps with `batch` sequences of each group, after one not timed."""
    each = len(data.data.labels) // len(data.widths)
    rows = [
        jax.tree.map(lambda x, i=i: jnp.asarray(x[i * each : i * each + batch]), tuple(data.data))
        for i in range(len(data.widths))
    ]
    state = (params, program.optimizer.init(params))
    zero, key = jnp.asarray(0), jax.random.key(0)
    step = jax.jit(partial(_step, program)).lower(state, (zero, rows[0]), key).compile()
    seconds = [
        median_seconds(lambda i=i, now=now: step(state, (zero + i, now), key), rounds=rounds)
        for i, now in enumerate(rows)
    ]
    tokens = sum(int(now[1].sum()) for now in rows)
    speed = tokens / sum(seconds)
    account: Any = step.memory_analysis()
    share = dense_share(params["weights"], speed, peak)
    memory = account.temp_size_in_bytes / 2**20
    return Cost(speed, memory, share, sum(seconds) / len(rows))


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


def state(features: int | None, dimension: int, heads: int) -> int | None:
    """How many numbers a layer keeps of what it has read: M (E + 1) a head; None: all keys."""
    return features and heads * features * (dimension + 1)


def parameters(params: Any) -> int:
    """Numbers that training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params["weights"]))


def _step(program: Program, state, batch, key):
    params, opt_state = state
    grads, _ = jax.grad(program.loss, has_aux=True)(params, batch, key)
    updates, opt_state = program.optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state
