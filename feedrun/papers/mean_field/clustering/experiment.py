"""Tokens cluster: the SA and USA flows on the sphere, their structure, rates and collapse.

Paper: Rigollet, "The Mean-Field Dynamics of Transformers" (2512.01868), sections 1, 2.1 and 6.
Command: feedrun experiment=particles_clustering (minutes: see the yaml).
What should come out: every start collapses to one point, at beta = 4 after a long wait in a few
clusters; the energy never falls; near the end squared distances decay at rate 2 (2 e^beta, USA).
"""

import itertools
import math
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from feedrun.experiment import (
    Config,
    Count,
    Estimate,
    Experiment,
    Journal,
    Positive,
    Result,
    claims_beside,
)
from feedrun.maths import sphere, stats
from feedrun.papers.mean_field import equiangular, theory
from feedrun.papers.mean_field.clustering import cone, figures, flow, structure

Beta = Annotated[float, Field(ge=0, le=20)]

NAMES: dict[theory.Norm, str] = {"sa": "sa", "usa_shifted": "usa"}
"""What the two flows are called in metrics, scopes and arrays."""

JITTER = 0.1
"""Spread of the three clusters on the circle, in radians."""


class Structure(Config):
    """Identities: starts of `tokens` tokens, RK4 steps of dt (dt / 2 for the energy balance)."""

    tokens: Count
    starts: Count
    beta: Positive
    dt: Positive
    steps: Count
    block: Count
    order_dt: Positive
    order_steps: Count


class Equiangular(Config):
    """Orthonormal tokens against the scalar ODE."""

    tokens: Annotated[int, Field(ge=2)]
    betas: tuple[Beta, ...]
    dt: Positive
    steps: Count


class Cone(Config):
    """Hemisphere starts, for rates; dt is in the time in which tokens contract at rate 1."""

    tokens: Annotated[int, Field(ge=2)]
    starts: Count
    beta: Beta
    dt: Positive
    steps: Count


class Circle(Config):
    """Starts on the circle with weakly and strongly repulsive temperatures."""

    tokens: Annotated[int, Field(ge=3, multiple_of=3)]
    starts: Count
    horizon: Positive
    rows: Count


class Portrait(Config):
    """One start on the circle and one on the sphere, for snapshots and the animation."""

    tokens: Count
    beta: Beta
    horizon: Positive
    frames: Annotated[int, Field(ge=2)]


class Clustering(Config):
    """Settings of particles_clustering; times are those of SA, or e^beta t for USA."""

    tokens: Annotated[int, Field(ge=2)]
    dimension: Annotated[int, Field(ge=2)]
    betas: tuple[Beta, ...]
    starts: Count
    horizon: Positive
    rows: Count
    tolerance: Positive
    merge_radius: Annotated[float, Field(gt=0, lt=flow.COLLAPSED)]
    cluster_angle: Annotated[float, Field(gt=0, lt=1)]
    bins: Count
    structure: Structure
    equiangular: Equiangular
    cone: Cone
    circle: Circle
    portrait: Portrait


def run(cfg: Clustering, key, journal: Journal) -> Result:
    """Measure the identities and the rates, then follow every start to its collapse."""
    structure_key, cone_key, starts_key, circle_key, portrait_key = jax.random.split(key, 5)
    total, done = 2 * cfg.rows + cfg.circle.rows + 3, itertools.count(1)

    def progress() -> None:
        journal.progress(next(done), total)

    summary = exact_identities(cfg, structure_key)
    progress()
    rates, arrays = cone_rates(cfg.cone, cone_key, dimension=cfg.dimension)
    progress()
    collapses, histories = sphere_runs(cfg, starts_key, journal, progress)
    on_circle = circle_runs(cfg, circle_key, journal.scope("circle"), progress)
    pictures = portraits(cfg, portrait_key)
    progress()
    summary |= rates | collapses | on_circle
    summary["norm_error"] = max(summary["norm_error"], summary.pop("long_run_norm_error"))
    return Result(summary, arrays | histories | pictures)


def exact_identities(cfg: Clustering, key) -> dict[str, float | list[float]]:
    """What must hold exactly, and the orders of the methods."""
    measure_key, order_key = jax.random.split(key)
    sizes, equal = cfg.structure, cfg.equiangular
    errors = structure.measure(
        measure_key,
        sizes.beta,
        sizes.dt,
        tokens=sizes.tokens,
        dimension=cfg.dimension,
        starts=sizes.starts,
        steps=sizes.steps,
        block=sizes.block,
        modes=math.ceil(6 * sizes.beta**0.5) + 20,
    )
    errors |= structure.orders(
        order_key, sizes.beta, sizes.order_dt, starts=sizes.starts, steps=sizes.order_steps
    )
    errors |= structure.equiangular_errors(
        jnp.array(equal.betas), equal.dt, n=equal.tokens, steps=equal.steps
    )
    return {name: np.asarray(error).tolist() for name, error in errors.items()}


def cone_rates(cfg: Cone, key, *, dimension: int):
    """Rates near consensus and in a cone; arrays: ln max |x_i - x_j|^2 over time, a row a start."""
    sa, usa = cone.measure(
        key,
        cfg.beta,
        cfg.dt,
        tokens=cfg.tokens,
        dimension=dimension,
        starts=cfg.starts,
        steps=cfg.steps,
    )
    bound = equiangular.cone_rate_bound(cfg.beta, n=cfg.tokens)
    sa_rate, usa_rate = (equiangular.contraction_rate(cfg.beta, norm=n) for n in ("sa", "usa"))
    summary = {
        "rate_sa": np.asarray(sa.rate / sa_rate).tolist(),
        "rate_usa": np.asarray(usa.rate / usa_rate).tolist(),
        "height_drop": float(jnp.maximum(jnp.max(sa.height_drop), jnp.max(usa.height_drop))),
        "cone_rate_ratio": np.asarray(sa.slowest / bound).tolist(),
    }
    times = cfg.dt * np.arange(1, cfg.steps + 1)
    arrays = {"cone_times": times, "cone_sa": sa.log_gap, "cone_usa": usa.log_gap}
    return summary, {name: np.asarray(a) for name, a in arrays.items()}


def sphere_runs(cfg: Clustering, key, journal: Journal, progress):
    """Collapse on the sphere: both flows, every temperature, from the same uniform starts."""
    shape = cfg.starts, cfg.tokens, cfg.dimension
    x0 = jnp.broadcast_to(sphere.uniform(key, shape), (len(cfg.betas), *shape))
    betas = {f"beta_{beta:g}": beta for beta in cfg.betas}
    times = moments(cfg.horizon, cfg.rows)
    summary, norm_error = {}, 0.0
    arrays = {"times": np.array(times), "betas": np.array(cfg.betas)}
    for norm, name in NAMES.items():
        swarms, rows = flow.evolve(
            x0,
            betas,
            times,
            norm=norm,
            accuracy=accuracy(cfg),
            cluster_angle=cfg.cluster_angle,
            bins=cfg.bins,
            journal=journal.scope(name),
            progress=progress,
        )
        summary |= fractions(swarms, [f"{name}_{label}" for label in betas])
        norm_error = max(norm_error, float(jnp.max(swarms.norm_error)))
        kept = {"energy": rows.energy, "order": rows.order, "clusters": rows.clusters}
        arrays |= {f"{name}_{field}": value for field, value in kept.items()}
        arrays[f"{name}_pairs"] = rows.pairs.sum(axis=2)
        arrays[f"{name}_collapsed_at"] = np.asarray(swarms.collapsed_at)
    if "collapsed_sa_beta_4" in summary:
        lucky = equiangular.wendel_probability(cfg.tokens, cfg.dimension)
        summary["collapsed_beyond_hemisphere"] = Estimate(
            *(value - lucky for value in summary["collapsed_sa_beta_4"])
        )
    return summary | {"long_run_norm_error": norm_error}, arrays


def circle_runs(cfg: Clustering, key, journal: Journal, progress) -> dict[str, Estimate | list]:
    """Collapse on the circle, USA: repulsion that synchronises, and repulsion that does not."""
    circle, (uniform_key, jitter_key) = cfg.circle, jax.random.split(key)
    uniform = sphere.uniform(uniform_key, (circle.starts, circle.tokens, 2))
    corners = 2 * jnp.pi / 3 * (jnp.arange(circle.tokens) % 3)
    jitter = JITTER * jax.random.normal(jitter_key, (circle.starts, circle.tokens))
    three = sphere.from_angle(corners[None] + jitter)
    betas = {"circle_beta_-0.1": -0.1, "circle_beta_-1": -1.0, "three_clusters_beta_-1": -1.0}
    swarms, _ = flow.evolve(
        jnp.stack([uniform, uniform, three]),
        betas,
        moments(circle.horizon, circle.rows),
        norm="usa_shifted",
        accuracy=accuracy(cfg),
        cluster_angle=cfg.cluster_angle,
        bins=cfg.bins,
        journal=journal,
        progress=progress,
    )
    return fractions(swarms, list(betas))


def portraits(cfg: Clustering, key) -> dict[str, np.ndarray]:
    """One SA start on the circle and one on the sphere, at times for pictures."""
    portrait, (circle_key, sphere_key) = cfg.portrait, jax.random.split(key)
    times = np.array(moments(portrait.horizon, portrait.frames))
    flat = jnp.pad(sphere.uniform(circle_key, (portrait.tokens, 2)), ((0, 0), (0, 1)))
    x0 = jnp.stack([flat, sphere.uniform(sphere_key, (portrait.tokens, 3))])
    draw = partial(flow.path, norm="sa")
    paths = jax.vmap(draw, (0, None, None, None))(
        x0, portrait.beta, jnp.array(times), accuracy(cfg)
    )
    arrays = {"circle_path": paths[0, :, :, :2], "sphere_path": paths[1]}
    arrays |= {"portrait_times": times, "portrait_beta": portrait.beta}
    return {name: np.asarray(value) for name, value in arrays.items()}


def fractions(swarms: flow.Swarm, labels: list[str]) -> dict[str, Estimate | list[float]]:
    """Collapsed fraction of each row of starts with its exact interval; times if all did."""
    summary = {}
    for label, times in zip(labels, np.asarray(swarms.collapsed_at), strict=True):
        done, starts = int(np.isfinite(times).sum()), len(times)
        summary[f"collapsed_{label}"] = Estimate(
            done / starts, *stats.proportion_interval(done, starts)
        )
        if done == starts:
            summary[f"collapse_time_{label}"] = times.tolist()
    return summary


def moments(horizon: float, rows: int) -> list[float]:
    """Time 0, then `rows` - 1 times from 0.1 to the horizon, equally spaced in log time."""
    return [0.0, *np.geomspace(min(0.1, horizon / 2), horizon, rows - 1).tolist()]


def accuracy(cfg: Clustering) -> flow.Accuracy:
    """How exact the long runs are."""
    return flow.Accuracy(cfg.tolerance, cfg.merge_radius)


EXPERIMENT = Experiment(
    config=Clustering, run=run, claims=claims_beside(__file__), figures=figures.figures, x64=True
)
