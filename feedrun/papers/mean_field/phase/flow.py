"""Many starts of token dynamics under one normalisation scheme, several temperatures at once.

Every run has its own grid of times (in the scheme's own time, see `schemes`) and its own beta; both
are traced, so that all runs share one program.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from feedrun.experiment import Journal
from feedrun.maths import ode, sphere
from feedrun.papers.mean_field import march
from feedrun.papers.mean_field.march import FIRST_STEP, MAX_ATTEMPTS
from feedrun.papers.mean_field.phase import schemes
from feedrun.papers.mean_field.phase.schemes import Name
from feedrun.papers.mean_field.theory import Scalar
from feedrun.runtime import replicas

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
    """(swarms, rows (K, R, C)) after the (K, C) own times: K runs of R starts, split over devices.

    Starts and runs of one device go one after the other on a CPU; elsewhere both are a vmap.
    """

    def every(swarms, betas, times, turn, tolerance):
        def run(swarms, beta, times):
            def single(swarm):
                return follow(swarm, beta, times, turn, tolerance, scheme=scheme)

            return replicas.each(single, turns=replicas.in_turn(mesh))(swarms)

        return replicas.each(run, turns=replicas.in_turn(mesh))(swarms, betas, times)

    spread = replicas.split(every, mesh, axis=1, copied=4)
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
    runs, starts = theta.shape[:2]
    mesh = replicas.device_mesh(starts)
    step = partial(chunk, turn=turn, tolerance=tolerance, scheme=scheme, mesh=mesh)

    blank: Any = np.zeros((runs, starts, times.shape[1]))
    return march.march(
        jax.vmap(jax.vmap(start, (0, None)), (0, None))(theta, lag),
        Row(blank, blank, blank),
        times.T,
        advance=lambda swarms, until: step(swarms, betas, jnp.asarray(until.T)),
        clock=lambda swarms: swarms.clock.t,
        metrics=_metrics,
        stride=rows_a_chunk,
        axis=2,
        journal=journal,
        place=partial(replicas.placed, mesh=mesh, axis=1),
        progress=journal.progress,
    )[1]


def _metrics(u: np.ndarray, row: Any) -> dict[str, np.ndarray]:
    """One number a run: own time, mean share of pairs that met, mean gap."""
    return {"own_time": u, "pairs_met": row.met.mean(axis=1), "gap": row.mean.mean(axis=1)}
