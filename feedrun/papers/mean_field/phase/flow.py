"""Many starts of token dynamics under one normalisation scheme, several temperatures at once.

Every run has its own grid of times (in the scheme's own time, see `schemes`) and its own beta; both
are traced, so that all runs share one program.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec
from jaxtyping import Array, Float, Int

from feedrun.experiment import Journal
from feedrun.maths import ode, sphere
from feedrun.papers.mean_field.clustering.flow import FIRST_STEP, MAX_ATTEMPTS, device_mesh
from feedrun.papers.mean_field.phase import schemes
from feedrun.papers.mean_field.phase.schemes import Name
from feedrun.papers.mean_field.theory import Scalar

MET = 1e-3
"""A pair has met when 1 - <theta_i, theta_j> is below this (the authors' 0.999)."""

HALVINGS = 30
"""Bisections of a median: ln(1 - <theta_i, theta_j>) to 80 / 2^30."""


class Swarm(NamedTuple):
    """One start on its way: clock.y = (theta, q), and steps tried since the last row."""

    clock: ode.Clock
    attempts: Int[Array, ""]


class Row(NamedTuple):
    """What is kept of one moment: share of pairs that met, median and mean of their gaps.

    The gap of a pair is 1 - <theta_i, theta_j>.
    """

    met: Float[Array, ""]
    median: Float[Array, ""]
    mean: Float[Array, ""]


def start(theta: Float[Array, "T D"], lag: Scalar) -> Swarm:
    """Tokens at u = 0, all with the same lag."""
    zero = jnp.zeros((), theta.dtype)
    q = jnp.zeros(len(theta), theta.dtype) + lag
    return Swarm(ode.Clock(zero, zero + FIRST_STEP, (theta, q)), jnp.zeros((), int))


def advance(swarm: Swarm, beta, until, turn, tolerance, *, scheme: Name) -> Swarm:
    """The swarm at own time `until` (or stuck before it, after MAX_ATTEMPTS tried steps)."""

    def attempt(swarm: Swarm) -> Swarm:
        u = swarm.clock.t
        late = (u >= turn).astype(u.dtype)

        def field(state):
            # Seen from a stage off the sphere the formula pulls back: a stiff mode.
            return schemes.velocity(sphere.normalise(state[0]), state[1], beta, late, scheme=scheme)

        stop = jnp.where(u < turn, jnp.minimum(until, turn), until)
        clock = ode.adaptive_step(
            field,
            swarm.clock,
            stop,
            tolerance=tolerance,
            retract=lambda state: (sphere.normalise(state[0]), state[1]),
        )
        return Swarm(clock, swarm.attempts + 1)

    return jax.lax.while_loop(
        lambda s: (s.clock.t < until) & (s.attempts < MAX_ATTEMPTS),
        attempt,
        swarm._replace(attempts=jnp.zeros_like(swarm.attempts)),
    )


def observe(theta: Float[Array, "T D"]) -> Row:
    """Gaps of all pairs from centred tokens, whose inner products keep their digits."""
    n = len(theta)
    pairs = n * (n - 1)
    z = theta - jnp.mean(theta, axis=0, keepdims=True)
    square = jnp.sum(z**2, axis=1)
    gaps = (square[:, None] + square[None]) / 2 - z @ z.T
    gaps = jnp.where(jnp.eye(n, dtype=bool), jnp.inf, gaps)

    def below(level):
        return jnp.sum(gaps < level)

    met = below(MET).astype(theta.dtype) / pairs
    return Row(met, _median(below, pairs, theta.dtype), jnp.sum(square) / (n - 1))


def _median(below, pairs: int, dtype):
    """Smallest level that half of the pairs are below, by bisection of its logarithm.

    (Sorting the pairs took longer than the time step: 70 against 50 microseconds a row.)
    """

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        enough = 2 * below(jnp.exp(middle)) >= pairs
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    bracket = jnp.array(-79.0, dtype), jnp.array(1.0, dtype)
    return jnp.exp(jax.lax.fori_loop(0, HALVINGS, halve, bracket)[1])


def follow(swarm: Swarm, beta, times, turn, tolerance, *, scheme: Name) -> tuple[Swarm, Row]:
    """One start through `times`, with a row at each."""

    def body(swarm, until):
        swarm = advance(swarm, beta, until, turn, tolerance, scheme=scheme)
        return swarm, observe(swarm.clock.y[0])

    return jax.lax.scan(body, swarm, times)


@partial(jax.jit, static_argnames=("scheme", "mesh"))
def chunk(swarms, betas, times, turn, tolerance, *, scheme: Name, mesh: Mesh):
    """(swarms, rows) after the (K, C) own times: K runs of R starts each.

    Starts are split over the mesh. On a CPU starts and runs go one after the other on each device:
    a vmap computes all of them until the slowest is done. Elsewhere both are a vmap.
    """
    on_cpu = mesh.devices.flat[0].platform == "cpu"

    def every(swarms, betas, times, turn, tolerance):
        def run(each):
            swarms, beta, times = each

            def one(swarm):
                return follow(swarm, beta, times, turn, tolerance, scheme=scheme)

            return jax.lax.map(one, swarms) if on_cpu else jax.vmap(one)(swarms)

        runs = swarms, betas, times
        return jax.lax.map(run, runs) if on_cpu else jax.vmap(run)(runs)

    split, copied = Spec(None, "starts"), Spec()
    # Unchecked replication: loops that start from constants would not pass.
    spread = jax.shard_map(
        every, mesh=mesh, in_specs=(split, *[copied] * 4), out_specs=split, check_vma=False
    )
    return spread(swarms, betas, times, turn, tolerance)


@partial(jax.jit, static_argnames=("n", "scheme"))
def orthonormal_gaps(betas, lag, times, turn, tolerance, *, n: int, scheme: Name):
    """Mean gap (K, S) of n orthonormal tokens at own times (K, S), one run a temperature."""

    def run(each):
        swarm = start(jnp.eye(n), lag)
        return follow(swarm, each[0], each[1], turn, tolerance, scheme=scheme)[1].mean

    return jax.lax.map(run, (betas, times))


def evolve(
    theta: Float[Array, "K R T E"],
    lag: float,
    betas: Float[Array, "K"],
    times: np.ndarray,
    *,
    turn: float,
    tolerance: float,
    scheme: Name,
    rows_a_chunk: int,
    journal: Journal,
) -> Row:
    """Rows (K, R, S), in numpy, of every start of every run through its own times (K, S).

    Logs and checkpoints after each chunk of rows; a run killed in between resumes there exactly.
    """
    runs, replicas = theta.shape[:2]
    swarms = jax.vmap(jax.vmap(start, (0, None)), (0, None))(theta, lag)
    mesh = device_mesh(replicas)
    total = times.shape[1]
    blank: Any = np.zeros((runs, replicas, total))
    rows = Row(blank, blank, blank)
    done, (swarms, rows) = journal.restore((swarms, rows)) or (0, (swarms, rows))
    # Laid out as a chunk returns them, or the second chunk would be compiled again.
    swarms = jax.device_put(swarms, NamedSharding(mesh, Spec(None, "starts")))
    for first in range(done, total, rows_a_chunk):
        until = times[:, first : first + rows_a_chunk]
        grid = jnp.asarray(until)
        swarms, new = chunk(swarms, betas, grid, turn, tolerance, scheme=scheme, mesh=mesh)
        _refuse_stuck(swarms, until[:, -1])
        last = first + until.shape[1]
        rows = jax.tree.map(lambda old, part: _filled(old, first, part), rows, new)
        for k in range(first, last):
            journal.log(k, _metrics(times[:, k], jax.tree.map(lambda a: a[:, :, k], rows)))
        journal.save(last, (swarms, rows), final=last == total)
        journal.progress(last, total)
    return rows


def _filled(rows: np.ndarray, first: int, part) -> np.ndarray:
    rows = np.array(rows)
    rows[:, :, first : first + part.shape[2]] = part
    return rows


def _refuse_stuck(swarms: Swarm, until: np.ndarray) -> None:
    late = np.asarray(swarms.clock.t) < until[:, None]
    if late.any():
        raise RuntimeError(
            f"{late.sum()} of {late.size} starts need more than {MAX_ATTEMPTS} steps to reach own "
            f"time {until.max():g}: loosen `tolerance` or shorten `horizon`"
        )


def _metrics(u: np.ndarray, row: Any) -> dict[str, np.ndarray]:
    """One number a run: own time, mean share of pairs that met, mean gap."""
    return {"own_time": u, "pairs_met": row.met.mean(axis=1), "gap": row.mean.mean(axis=1)}
