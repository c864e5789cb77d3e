"""One optimiser step of the two-layer Mamba arm, whole, against mambapy with our weights.

Loss and gradient norm of the first step are checked against the arm run element by element in
float64, differentiated automatically.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, PartitionSpec

from feedrun.models import arms
from scripts.bench import recurrence_peers as peers
from scripts.bench.case import Case, Contestant, Gate

NAME = "mamba1+conv"
SIZES = arms.Sizes(width=32, inner=64, layers=2, heads=4, states=16, length=64, chunk=32)
BATCH, T, FEATURES, OUTPUTS, RATE = 64, 64, 2, 1, 1e-3
SEEDS = "feedrun, a seed a device"


class Problem(NamedTuple):
    """Weights at the start, a batch (B, T, .), and loss and gradient norm there."""

    params: Any
    sizes: arms.Sizes
    x: Any
    y: Any
    truth: dict[str, float]


def case() -> Case:
    """One seed, and as many seeds as devices, counted as so many steps."""
    seeds = Contestant(_seeds, share=len(jax.devices()), note="time a seed")
    return Case(
        "training step of Mamba, 2 layers",
        {"B": BATCH, "T": T, "width": 32, "inner": 64, "states": 16, "dtype": "float32"},
        problem,
        {
            "feedrun": Contestant(_one),
            SEEDS: seeds,
            peers.MAMBAPY: Contestant(
                partial(peers.training_step, RATE), needs=("torch", "mambapy")
            ),
        },
        _error,
        tol=1e-4,
        gates=(Gate(peers.MAMBAPY, at_least=2.2),),
    )


def problem(seed: int) -> Problem:
    """A random batch, which costs what any other costs."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((BATCH, T, FEATURES)).astype(np.float32)
    y = rng.standard_normal((BATCH, T, OUTPUTS)).astype(np.float32)
    arm = arms.build(NAME, SIZES, features=FEATURES, outputs=OUTPUTS)
    params = jax.device_get(jax.jit(arm.init)(jax.random.key(seed)))
    return Problem(params, SIZES, x, y, _truth(arm, params, x, y))


def _truth(arm: arms.Arm, params: Any, x: Any, y: Any) -> dict[str, float]:
    """Loss and gradient norm by single steps in float64."""
    with jax.enable_x64(True):
        params, x, y = jax.tree.map(lambda z: jnp.asarray(z, float), (params, x, y))
        start = jax.tree.map(lambda z: z.astype(float), arm.start())

        def loss(params):
            def one(x):
                return jax.lax.scan(lambda s, x: arm.step(params, s, x), start, x)[1]

            return ((jax.vmap(one)(x) - y) ** 2).mean()

        value, grads = jax.jit(jax.value_and_grad(loss))(params)
        return {"loss": float(value), "norm": float(optax.global_norm(grads))}


def _step(x: Any, y: Any) -> tuple[Callable[..., Any], Callable[[Any], Any]]:
    """(step(state) -> (state, loss, gradient norm), init(params) -> state)."""
    arm = arms.build(NAME, SIZES, features=FEATURES, outputs=OUTPUTS)
    optimizer = optax.adamw(RATE, b2=0.98, weight_decay=1e-4)

    def loss(params):
        return ((jax.vmap(lambda x: arm.apply(params, x))(x) - y) ** 2).mean()

    def step(state):
        params, opt_state = state
        value, grads = jax.value_and_grad(loss)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value, optax.global_norm(grads)

    return step, lambda params: (params, optimizer.init(params))


def _one(p: Problem) -> Callable[[], Any]:
    step, init = _step(p.x, p.y)
    return _advancing(jax.jit(step, donate_argnums=0), init(jax.tree.map(jnp.array, p.params)))


def _seeds(p: Problem) -> Callable[[], Any]:
    """The same training on every device at once, as repeats of `train.fit` are laid out."""
    step, init = _step(p.x, p.y)
    devices = jax.devices()
    mesh, split = Mesh(np.array(devices), ("seed",)), PartitionSpec("seed")
    # Unchecked replication: scans that start from constants would not pass.
    each = jax.shard_map(
        lambda state: jax.lax.map(step, state),
        mesh=mesh,
        in_specs=split,
        out_specs=split,
        check_vma=False,
    )
    states = [init(p.params)] * len(devices)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    state = jax.device_put(stacked, jax.sharding.NamedSharding(mesh, split))
    return _advancing(jax.jit(each, donate_argnums=0), state)


def _advancing(step: Callable[..., Any], state: Any) -> Callable[[], Any]:
    """A call that takes the next step; the first one starts from the given weights."""
    kept = [state]

    def call():
        kept[0], loss, norm = step(kept[0])
        return {"loss": loss, "norm": norm}

    return call


def _error(p: Problem, output: dict[str, Any], _: Contestant) -> float:
    """Relative, of loss and gradient norm."""
    return max(
        float(np.abs(np.asarray(output[name]) / truth - 1).max()) for name, truth in p.truth.items()
    )
