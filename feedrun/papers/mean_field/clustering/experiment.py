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

from feedrun.experiment import Config, Estimate, Experiment, Journal, Result, claims_beside
from feedrun.maths import sphere
from feedrun.maths.proportions import clopper_pearson
from feedrun.papers.mean_field import equiangular, theory
from feedrun.papers.mean_field.clustering import cone, figures, flow, structure

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
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
    own, pair = cfg.structure, cfg.equiangular
    sizes = {"tokens": own.tokens, "starts": own.starts, "steps": own.steps, "block": own.block}
    modes = math.ceil(6 * own.beta**0.5) + 20
    measured = structure.measure(
        measure_key, own.beta, own.dt, dimension=cfg.dimension, modes=modes, **sizes
    )
    measured |= structure.orders(
        order_key, own.beta, own.order_dt, starts=own.starts, steps=own.order_steps
    )
    measured |= structure.equiangular_errors(
        jnp.array(pair.betas), pair.dt, n=pair.tokens, steps=pair.steps
    )
    return {name: np.asarray(value).tolist() for name, value in measured.items()}


def cone_rates(cfg: Cone, key, *, dimension: int):
    """Rates near consensus and in a cone; arrays: ln max |x_i - x_j|^2 over time, a row a start."""
    sizes = {"tokens": cfg.tokens, "starts": cfg.starts, "steps": cfg.steps}
    sa, usa = cone.measure(key, cfg.beta, cfg.dt, dimension=dimension, **sizes)
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
            x0, betas, times, norm=norm, journal=journal.scope(name), progress=progress, **how(cfg)
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
    own, (uniform_key, jitter_key) = cfg.circle, jax.random.split(key)
    uniform = sphere.uniform(uniform_key, (own.starts, own.tokens, 2))
    corners = 2 * jnp.pi / 3 * (jnp.arange(own.tokens) % 3)
    jitter = JITTER * jax.random.normal(jitter_key, (own.starts, own.tokens))
    three = sphere.from_angle(corners[None] + jitter)
    betas = {"circle_beta_-0.1": -0.1, "circle_beta_-1": -1.0, "three_clusters_beta_-1": -1.0}
    swarms, _ = flow.evolve(
        jnp.stack([uniform, uniform, three]),
        betas,
        moments(own.horizon, own.rows),
        norm="usa_shifted",
        journal=journal,
        progress=progress,
        **how(cfg),
    )
    return fractions(swarms, list(betas))


def portraits(cfg: Clustering, key) -> dict[str, np.ndarray]:
    """One SA start on the circle and one on the sphere, at times for pictures."""
    own, (circle_key, sphere_key) = cfg.portrait, jax.random.split(key)
    times = np.array(moments(own.horizon, own.frames))
    flat = jnp.pad(sphere.uniform(circle_key, (own.tokens, 2)), ((0, 0), (0, 1)))
    x0 = jnp.stack([flat, sphere.uniform(sphere_key, (own.tokens, 3))])
    draw = partial(flow.path, norm="sa")
    paths = jax.vmap(draw, (0, None, None, None))(x0, own.beta, jnp.array(times), accuracy(cfg))
    arrays = {"circle_path": paths[0, :, :, :2], "sphere_path": paths[1]}
    arrays |= {"portrait_times": times, "portrait_beta": own.beta}
    return {name: np.asarray(value) for name, value in arrays.items()}


def fractions(swarms: flow.Swarm, labels: list[str]) -> dict[str, Estimate | list[float]]:
    """Collapsed fraction of each row of starts with its exact interval; times if all did."""
    summary = {}
    for label, times in zip(labels, np.asarray(swarms.collapsed_at), strict=True):
        done, starts = int(np.isfinite(times).sum()), len(times)
        summary[f"collapsed_{label}"] = Estimate(done / starts, *clopper_pearson(done, starts))
        if done == starts:
            summary[f"collapse_time_{label}"] = times.tolist()
    return summary


def moments(horizon: float, rows: int) -> list[float]:
    """Time 0, then `rows` - 1 times from 0.1 to the horizon, equally spaced in log time."""
    return [0.0, *np.geomspace(min(0.1, horizon / 2), horizon, rows - 1).tolist()]


def accuracy(cfg: Clustering) -> flow.Accuracy:
    """How exact the long runs are."""
    return flow.Accuracy(cfg.tolerance, cfg.merge_radius)


def how(cfg: Clustering) -> dict:
    """The settings that all long runs share."""
    return {"accuracy": accuracy(cfg), "cluster_angle": cfg.cluster_angle, "bins": cfg.bins}


EXPERIMENT = Experiment(
    config=Clustering, run=run, claims=claims_beside(__file__), figures=figures.clustering, x64=True
)
