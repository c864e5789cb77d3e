"""The selective scan, forward and with its gradients, and a training step of a whole arm.

Every contestant's outputs and gradients are checked against loops in numpy, float64. jax's spread
the sequences over the devices, torch uses its threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from feedrun.maths import recurrences
from feedrun.maths import selective_scan as scans
from scripts.bench import mamba_step
from scripts.bench import recurrence_peers as peers
from scripts.bench.case import Case, Contestant, Gate

CHUNK = {"ours": 32, "ssd": 32}
HEAD = 16
"""Channels of a head that share a decay in SSD."""

AXES = (0, 0, None, 0, 0)


class Problem(NamedTuple):
    """Inputs x, delta (B, T, D), A (N, D), B, C (B, T, N), the output's cotangent; the truth."""

    args: tuple[Any, ...]
    dy: Any
    decays: Any
    truth: dict[str, tuple[np.ndarray, ...]]


def cases() -> list[Case]:
    """Two sizes with gradients, the smaller one without, and the training step."""
    fastest = (Gate("lax.scan", at_least=1), Gate("associative_scan", at_least=1))
    back = (Gate(peers.MAMBAPY, at_least=2.2), *fastest)
    return [
        _case("selective scan and its gradients", (64, 64, 64, 16), True, back),
        _case("selective scan", (64, 64, 64, 16), False, (Gate(peers.MAMBAPY, at_least=5),)),
        _case("long selective scan and its gradients", (8, 2048, 256, 16), True, back),
        mamba_step.case(),
    ]


def _case(name: str, sizes: tuple[int, ...], back: bool, gates: tuple[Gate, ...]) -> Case:
    ours = partial(scans.selective_scan, chunk=CHUNK["ours"])
    contestants = {
        "feedrun": Contestant(partial(_jax, ours, back)),
        "lax.scan": Contestant(partial(_jax, scans.selective_scan_sequential, back)),
        "associative_scan": Contestant(partial(_jax, scans.selective_scan_associative, back)),
        "feedrun SSD in chunks": Contestant(partial(_ssd, back), note="one decay a head"),
        peers.MAMBAPY: Contestant(partial(peers.scan, back), needs=("torch", "mambapy")),
    }
    B, T, D, N = sizes
    return Case(
        name,
        {"B": B, "T": T, "D": D, "N": N, "dtype": "float32"},
        partial(problem, sizes=sizes),
        contestants,
        _error,
        tol=1e-4,
        gates=gates,
    )


def problem(seed: int, *, sizes: tuple[int, ...]) -> Problem:
    """Step sizes and decays as Mamba starts with them; the reference of both recurrences."""
    B, T, D, N = sizes
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((2, B, T, D))
    keys, queries = rng.standard_normal((2, B, T, N))
    delta = np.exp(rng.uniform(np.log(1e-3), np.log(1e-1), (B, T, D)))
    A = -np.arange(1.0, N + 1)[:, None] * np.ones(D)
    decays = -np.exp(rng.uniform(np.log(1e-3), 0, (B, T, D // HEAD)))
    args = x, delta, A, keys, queries
    single: Any = jax.tree.map(lambda a: np.asarray(a, np.float32), (args, dy, decays))
    truth = _truth(*jax.tree.map(lambda a: a.astype(float), single))
    args, dy, decays = jax.tree.map(jnp.asarray, single)
    return Problem(args, dy, decays, truth)


def _truth(args: Any, dy: Any, decays: Any) -> dict[str, tuple[np.ndarray, ...]]:
    """Outputs and gradients of both recurrences."""
    return {"selective": _selective(dy, *args), "ssd": _by_heads(args, dy, decays)}


def _selective(dy, x, delta, A, B, C):
    """(y, dx, ddelta, dA, dB, dC), sequence by sequence and step by step."""
    out = [np.zeros_like(z) for z in (x, x, delta, A, B, C)]
    y, dx, ddelta, dA, dB, dC = out
    for i in range(len(x)):
        states = np.zeros((x.shape[1] + 1, *A.shape))
        for t in range(x.shape[1]):
            drive = np.outer(B[i, t], delta[i, t] * x[i, t])
            states[t + 1] = np.exp(delta[i, t] * A) * states[t] + drive
            y[i, t] = C[i, t] @ states[t + 1]
        g = np.zeros_like(A)
        for t in reversed(range(x.shape[1])):
            a = np.exp(delta[i, t] * A)
            g += np.outer(C[i, t], dy[i, t])
            by_exponent, by_drive = g * a * states[t], B[i, t] @ g
            dA += delta[i, t] * by_exponent
            dx[i, t] = by_drive * delta[i, t]
            ddelta[i, t] = by_drive * x[i, t] + (A * by_exponent).sum(0)
            dB[i, t] = g @ (delta[i, t] * x[i, t])
            dC[i, t] = states[t + 1] @ dy[i, t]
            g = a * g
    return tuple(out)


def _by_heads(args, dy, decays):
    """(y, dv, dlog_a, dk, dq) of SSD as sums over all pairs of times."""
    v, _, _, k, q = args
    heads = decays.shape[2]
    v, dy = (z.reshape(*z.shape[:2], heads, -1) for z in (v, dy))
    y, dv, da, dk, dq = (np.zeros_like(z) for z in (v, v, decays, k, q))
    past = np.tri(v.shape[1], dtype=bool)
    for i in range(len(v)):
        scores = q[i] @ k[i].T
        for h in range(heads):
            total = np.cumsum(decays[i, :, h])
            w = np.where(past, np.exp(np.where(past, total[:, None] - total[None], 0)), 0)
            mixed = scores * w
            y[i, :, h] = mixed @ v[i, :, h]
            dv[i, :, h] = mixed.T @ dy[i, :, h]
            dmixed = dy[i, :, h] @ v[i, :, h].T
            dk[i] += (dmixed * w).T @ q[i]
            dq[i] += (dmixed * w) @ k[i]
            by_gap = dmixed * mixed
            by_total = by_gap.sum(1) - by_gap.sum(0)
            da[i, :, h] = np.cumsum(by_total[::-1])[::-1]
    return y, dv, da, dk, dq


def _jax(scan: Callable[..., Any], back: bool, p: Problem) -> Callable[[], Any]:
    return _spread("selective", jax.vmap(scan, AXES), AXES, back, p.args, p.dy)


def _ssd(back: bool, p: Problem) -> Callable[[], Any]:
    heads = p.decays.shape[2]
    v, dy = (z.reshape(*z.shape[:2], heads, -1) for z in (p.args[0], p.dy))
    ssd = partial(recurrences.ssd, chunk=CHUNK["ssd"])
    batch = jax.vmap(jax.vmap(ssd, (1, 1, None, None), 1))
    return _spread("ssd", batch, (0,) * 4, back, (v, p.decays, *p.args[3:]), dy)


def _spread(name, batch, axes, back, args, dy):
    """A call of `batch`, and its gradients, with the sequences spread over the devices."""

    def run(dy, *args):
        if not back:
            return (batch(*args),)
        y, pullback = jax.vjp(batch, *args)
        return y, *(
            g if axis == 0 else jax.lax.psum(g, "batch")
            for g, axis in zip(pullback(dy), axes, strict=True)
        )

    count = max(n for n in range(1, len(jax.devices()) + 1) if len(dy) % n == 0)
    mesh = Mesh(np.array(jax.devices()[:count]), ("batch",))
    split, whole = PartitionSpec("batch"), PartitionSpec()
    specs = [split if axis == 0 else whole for axis in axes]
    out = (split, *specs) if back else (split,)
    # Unchecked replication: scans that start from constants would not pass.
    spread = jax.shard_map(run, mesh=mesh, in_specs=(split, *specs), out_specs=out, check_vma=False)
    compiled = jax.jit(spread).lower(dy, *args).compile()
    placed = jax.device_put((dy, *args), compiled.input_shardings[0])
    return lambda: {"name": name, "values": compiled(*placed)}


def _error(p: Problem, output: dict[str, Any], _: Contestant) -> float:
    """Largest error of an output or gradient over its largest value."""
    truth = p.truth[output["name"]]
    errors = [
        np.abs(np.asarray(found, float) - expected).max() / np.abs(expected).max()
        for found, expected in zip(output["values"], truth, strict=False)
    ]
    return float(max(errors))
