"""Long runs of the token flows: adaptive in time, tokens that have met are identified.

Between the first clusters and the last merger the flow waits times of order e^{beta gap}, while
tokens inside a cluster still contract at rate O(1) and hold any explicit step below about 3. So
tokens closer than a merge radius are put on one point and share one velocity from then on: the
measure moves by less than the radius, the fast modes are gone, and the step grows to the slow
time scale. Masses need no bookkeeping: a cluster of k tokens acts with weight k / T.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from feedrun.experiment import Journal
from feedrun.maths import clusters, ode, sphere
from feedrun.papers.mean_field import march, theory
from feedrun.papers.mean_field.march import FIRST_STEP, MAX_ATTEMPTS
from feedrun.runtime import replicas

COLLAPSED = 1e-6
"""A start has collapsed when no two tokens are farther apart than this."""


class Swarm(NamedTuple):
    """Tokens on their way: clock.y holds the points, `leader` the token each one moves with."""

    clock: ode.Clock
    leader: Int[Array, "T"]
    collapsed_at: Float[Array, ""]
    norm_error: Float[Array, ""]
    attempts: Int[Array, ""]


class Row(NamedTuple):
    """What is kept of one moment: `pairs` counts inner products of distinct tokens, by bin."""

    energy: Float[Array, ""]
    order: Float[Array, ""]
    clusters: Int[Array, ""]
    pairs: Int[Array, "C"]


class Accuracy(NamedTuple):
    """Local error a step may make in a coordinate; distance at which tokens are identified."""

    tolerance: float
    merge_radius: float


def start(x: Float[Array, "T D"]) -> Swarm:
    """The tokens x at time 0, each its own leader."""
    zero = jnp.zeros((), x.dtype)
    clock = ode.Clock(t=zero, h=zero + FIRST_STEP, y=x)
    return Swarm(clock, jnp.arange(len(x)), zero + jnp.inf, zero, jnp.zeros((), int))


def advance(swarm: Swarm, beta, until, accuracy: Accuracy, *, norm: theory.Norm) -> Swarm:
    """The swarm at time `until` (or stuck before it, after MAX_ATTEMPTS tried steps)."""
    swarm = swarm._replace(attempts=jnp.zeros_like(swarm.attempts))
    return jax.lax.while_loop(
        lambda s: (s.clock.t < until) & (s.attempts < MAX_ATTEMPTS),
        lambda s: attempt(s, beta, until, accuracy, norm=norm),
        swarm,
    )


def attempt(swarm: Swarm, beta, until, accuracy: Accuracy, *, norm: theory.Norm) -> Swarm:
    """Try one step, note whether all tokens have met, identify those that have."""
    masses = jnp.full(swarm.leader.shape, 1 / swarm.leader.size, swarm.clock.y.dtype)

    def field(x):
        # Seen from a stage off the sphere the formula pulls back at rate 2: a stiff mode again.
        x = sphere.normalise(x)
        return theory.velocity(x, masses, beta, norm=norm)[swarm.leader]

    clock = ode.adaptive_step(
        field, swarm.clock, until, tolerance=accuracy.tolerance, retract=sphere.normalise
    )
    gaps = sphere.squared_distances(clock.y, clock.y)
    leader = clusters.first_neighbour(gaps < accuracy.merge_radius**2)
    met = jnp.max(gaps) < COLLAPSED**2
    norm_error = jnp.max(jnp.abs(jnp.linalg.norm(clock.y, axis=1) - 1))
    return Swarm(
        clock=clock._replace(y=clock.y[leader]),
        leader=leader,
        collapsed_at=jnp.where(met, jnp.minimum(swarm.collapsed_at, clock.t), swarm.collapsed_at),
        norm_error=jnp.maximum(swarm.norm_error, norm_error),
        attempts=swarm.attempts + 1,
    )


def observe(x: Float[Array, "T D"], beta, cluster_angle, *, bins: int) -> Row:
    """Energy, order parameter, cluster count and pair histogram of equal-mass tokens."""
    tokens = len(x)
    masses = jnp.full((tokens,), 1 / tokens, x.dtype)
    near = sphere.squared_distances(x, x) < (2 * jnp.sin(cluster_angle / 2)) ** 2
    G = jnp.clip(x @ x.T, -1, 1)
    pairs = jnp.histogram(G, bins, (-1, 1))[0].astype(int)
    return Row(
        energy=theory.normalised_energy(x, masses, beta),
        order=theory.order_parameter(x, masses),
        clusters=clusters.num_components(near),
        pairs=pairs.at[-1].add(-tokens),
    )


@partial(jax.jit, static_argnames=("norm", "bins", "mesh"))
def chunk(
    swarms, betas, until, cluster_angle, accuracy, *, norm: theory.Norm, bins: int, mesh: Mesh
):
    """All starts at all temperatures at time `until`, and one row of each.

    Starts are split over the mesh (on a CPU a vmap was measured at twice the time); temperatures
    run one after the other.
    """

    def every(swarms, betas, until, cluster_angle, accuracy):
        def temperature(swarms, beta):
            def single(swarm):
                swarm = advance(swarm, beta, until, accuracy, norm=norm)
                return swarm, observe(swarm.clock.y, beta, cluster_angle, bins=bins)

            return replicas.each(single, turns=replicas.in_turn(mesh))(swarms)

        return replicas.each(temperature, turns=True)(swarms, betas)

    spread = replicas.split(every, mesh, axis=1, copied=4)
    return spread(swarms, betas, until, cluster_angle, accuracy)


def evolve(
    x0: Float[Array, "B R T D"],
    betas: Mapping[str, float],
    times: Sequence[float],
    *,
    norm: theory.Norm,
    accuracy: Accuracy,
    cluster_angle: float,
    bins: int,
    journal: Journal,
    progress: Callable[[], None],
) -> tuple[Swarm, Row]:
    """Run every start of every temperature through `times`; (last swarms, rows over time).

    Logs and checkpoints after each time; a run killed in between resumes there exactly.
    """
    swarms = jax.vmap(jax.vmap(start))(x0)
    temperatures = jnp.asarray(list(betas.values()), x0.dtype)
    step = partial(chunk, norm=norm, bins=bins, mesh=replicas.device_mesh(x0.shape[1]))

    def advance_all(swarms, until):
        swarms, row = step(swarms, temperatures, float(until[0]), cluster_angle, accuracy)
        return swarms, jax.tree.map(lambda leaf: leaf[None], row)

    shapes = jax.eval_shape(step, swarms, temperatures, times[0], cluster_angle, accuracy)[1]
    return march.march(
        swarms,
        jax.tree.map(lambda s: np.zeros((len(times), *s.shape), s.dtype), shapes),
        np.array(times),
        advance=advance_all,
        clock=lambda swarms: swarms.clock.t,
        metrics=lambda time, row: {"flow_time": float(time)} | _metrics(row, list(betas)),
        stride=1,
        journal=journal,
        progress=lambda done, total: progress(),
    )


@partial(jax.jit, static_argnames="norm")
def path(
    x0: Float[Array, "T D"],
    beta,
    times: Float[Array, "S"],
    accuracy: Accuracy,
    *,
    norm: theory.Norm,
) -> Float[Array, "S T D"]:
    """The tokens of one start at each of `times`."""

    def body(swarm, until):
        swarm = advance(swarm, beta, until, accuracy, norm=norm)
        return swarm, swarm.clock.y

    return jax.lax.scan(body, start(x0), times)[1]


def _metrics(row: Row, labels: list[str]) -> dict[str, list[float]]:
    """One list over starts for each temperature and quantity."""
    return {
        f"{label}/{name}": np.asarray(getattr(row, name)[i], float).tolist()
        for i, label in enumerate(labels)
        for name in ("energy", "order", "clusters")
    }
