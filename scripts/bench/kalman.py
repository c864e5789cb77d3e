"""The Kalman filter of LG4 over many sequences, each with a system of its own.

Ours (batch on the last axis, no solve) against dynamax, the textbook filter under vmap, and a
batched loop in torch; predictions are checked in float64 on some sequences. Beside it: what
drawing a training batch costs.
"""
# pyright: reportMissingImports=false
# (the peers are optional)

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import kalman, kalman_lanes
from feedrun.papers.ssm_icl.families import linear_gaussian
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from scripts.bench.case import Case, Contestant, Gate

CHECKED = 64
"""Sequences on which errors are measured."""

WIDTH = 4096
"""Sequences that run together where there are very many; peers that are slow get as many."""

SMALL, LARGE = (1024, 256), (100_000, 64)


class Problem(NamedTuple):
    """Systems and observations (B, T, 1), float32."""

    tasks: linear_gaussian.Tasks
    y: jax.Array


def cases() -> list[Case]:
    """Two sizes of the filter, and the sampling of a batch."""
    return [
        _case("Kalman oracle, 1024 x 256, LG4", SMALL, quick=True),
        _case("Kalman oracle, 1e5 x 64, LG4", LARGE, quick=False),
        _sampling(),
    ]


def _case(name: str, sizes: tuple[int, int], *, quick: bool) -> Case:
    count, length = sizes
    share = 1.0 if quick else WIDTH / count
    note = "" if quick else f"extrapolated from {WIDTH} sequences"
    gates = (Gate("dynamax", at_least=20), Gate("torch", at_least=5)) if quick else ()
    return Case(
        name,
        {"sequences": count, "steps": length, "states": 4, "dtype": "float32"},
        partial(_problem, count=count, length=length),
        {
            "feedrun": Contestant(_ours),
            "textbook under vmap": Contestant(partial(_textbook, share=share), (), share, note),
            "dynamax": Contestant(partial(_dynamax, share=share), ("dynamax",), share, note),
            "torch": Contestant(_torch, ("torch",)),
        },
        _error,
        tol=1e-5,
        gates=gates,
    )


def _problem(seed: int, *, count: int, length: int) -> Problem:
    @jax.jit
    def draw(key):
        task_key, path_key = jax.random.split(key)
        tasks = linear_gaussian.lg4(task_key, count)
        return Problem(tasks, linear_gaussian.trajectories(path_key, tasks, length=length)[1])

    return jax.block_until_ready(draw(jax.random.key(seed)))


def _ours(p: Problem) -> Callable[[], Any]:
    """All at once, or WIDTH sequences at a time where they outgrow the cache."""
    width = min(WIDTH, len(p.y))
    lanes, y = oracles.lanes(p.tasks), p.y.transpose(1, 2, 0)

    def split(leaf):
        padded = jnp.concatenate([leaf, leaf[..., : -len(p.y) % width]], axis=-1)
        return jnp.moveaxis(padded.reshape(*leaf.shape[:-1], -1, width), -2, 0)

    @jax.jit
    def run(lanes, y):
        blocks = jax.tree.map(split, (lanes, y))
        means = jax.lax.map(lambda block: kalman_lanes.predict(*block).mean[:, 0], blocks)
        return means.transpose(0, 2, 1).reshape(-1, means.shape[1])[: len(p.y)]

    return lambda: run(lanes, y)


def _few(p: Problem, share: float) -> Problem:
    return jax.tree.map(lambda leaf: leaf[: round(share * len(p.y))], p)


def _textbook(p: Problem, *, share: float) -> Callable[[], Any]:
    p = _few(p, share)
    run = jax.jit(lambda p: jax.vmap(kalman.predict)(oracles.system(p.tasks), p.y).mean[..., 0])
    return lambda: run(p)


def _dynamax(p: Problem, *, share: float) -> Callable[[], Any]:
    from dynamax.linear_gaussian_ssm import LinearGaussianSSM, lgssm_filter

    p, model = _few(p, share), LinearGaussianSSM(4, 1)

    def one(system, y):
        params, _ = model.initialize(
            initial_mean=system.mean,
            initial_covariance=system.cov,
            dynamics_weights=system.A,
            dynamics_covariance=system.Q,
            emission_weights=system.C,
            emission_covariance=system.R,
        )
        filtered = lgssm_filter(params, y).filtered_means  # predictions are not among its results
        predicted = jnp.concatenate([system.mean[None], filtered[:-1] @ system.A.T])
        return predicted @ system.C[0]

    run = jax.jit(lambda p: jax.vmap(one)(oracles.system(p.tasks), p.y))
    return lambda: run(p)


def _torch(p: Problem) -> Callable[[], Any]:
    """The textbook filter, batched matrix products in a loop over steps."""
    import torch

    system = oracles.system(p.tasks)
    A, C, Q, R, mean, cov = (torch.tensor(np.asarray(m)) for m in system)
    y = torch.tensor(np.asarray(p.y))

    def call():
        m, P, rows = mean[..., None], cov, []
        for t in range(y.shape[1]):
            PC = P @ C.mT
            S = C @ PC + R
            predicted = C @ m
            gain = PC / S
            m = A @ (m + gain @ (y[:, t, :, None] - predicted))
            P = A @ (P - gain @ PC.mT) @ A.mT + Q
            rows.append(predicted[:, 0, 0])
        return torch.stack(rows, dim=1)

    return call


def _error(p: Problem, output: Any, contestant: Contestant) -> float:
    """Largest difference from a float64 filter in numpy."""
    A, C, q, r = (np.asarray(leaf[:CHECKED], float) for leaf in p.tasks)
    y, eye = np.asarray(p.y[:CHECKED], float), np.eye(4)
    m, P = np.zeros((len(A), 4, 1)), np.broadcast_to(eye, A.shape)
    rows = []
    for t in range(y.shape[1]):
        PC = P @ C.transpose(0, 2, 1)
        gain = PC / (C @ PC + r[:, None, None])
        rows.append((C @ m)[:, 0, 0])
        m = A @ (m + gain @ (y[:, t, :, None] - C @ m))
        P = A @ (P - gain @ PC.transpose(0, 2, 1)) @ A.transpose(0, 2, 1) + q[:, None, None] * eye
    output = np.asarray(output)[:CHECKED]
    return float(np.abs(output - np.stack(rows, axis=1)).max())


def _sampling() -> Case:
    """A batch of 64 sequences of LG4, 64 long: what a training step draws before it learns."""
    return Case(
        "task generation, 64 x 64, LG4",
        {"sequences": 64, "steps": 64, "gate": "3% of a 47 ms training step"},
        lambda seed: jax.random.key(seed),
        {"feedrun": Contestant(_draw)},
        lambda key, output, contestant: float(abs(np.asarray(output.targets).var() - 1.25) > 0.5),
        tol=0.5,
        gates=(Gate("seconds", at_most=0.03 * 0.047),),
    )


def _draw(key: jax.Array) -> Callable[[], Any]:
    sample = linear_gaussian.sampler(linear_gaussian.lg4)
    run = jax.jit(partial(sample, count=64, length=64))
    return lambda: run(key)
