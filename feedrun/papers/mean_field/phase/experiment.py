"""How deep until tokens collapse? Temperature, dimension, normalisation; against the theory.

Paper: Rigollet, "The Mean-Field Dynamics of Transformers" (2512.01868), section 6 and Figure 3.
Command: feedrun experiment=particles_phase (minutes: see the yaml).
What should come out: uniform random tokens in high dimension meet when the equiangular model (one
scalar ODE) says so, under every normalisation; their end is exponential, a power law or e^{-sqrt}.
"""

from functools import partial
from typing import Annotated, Any, NamedTuple

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
    batch,
    claims_beside,
)
from feedrun.maths import stats
from feedrun.papers.mean_field.phase import figures, flow, measures, schemes, starts, sweep_figures
from feedrun.papers.mean_field.phase import model as models
from feedrun.papers.mean_field.phase.flow import MET

TRUTH_TOLERANCE = 1e-13
"""Error a step may make where n tokens are compared with the scalar ODE to 1e-9."""

TRUTH_ROWS = 25
"""Moments up to a little after the predicted crossing at which they are compared."""


class Phase(Config):
    """Settings of particles_phase; times are the scheme's own (see `schemes`)."""

    scheme: schemes.Name
    beta: Annotated[float, Field(ge=0, le=10)]
    dimension: Annotated[int, Field(ge=2)]
    tokens: Annotated[int, Field(ge=3)]
    replicas: Annotated[int, Field(ge=6)]
    radius: Positive
    switch: Annotated[float, Field(ge=0)]
    horizon: Annotated[float, Field(ge=1)]
    rows: Annotated[int, Field(ge=12)]
    rows_a_chunk: Count
    tolerance: Positive


class Theory(NamedTuple):
    """The equiangular model of one run and its crossing time, in the scheme's own time."""

    model: models.Model
    crossing: float


def many(cfgs: list[Phase], keys, journal: Journal) -> list[Result]:
    """Runs that differ in beta and seed, as one compiled program."""
    cfg, betas = cfgs[0], jnp.array([each.beta for each in cfgs])
    theories = [predict(each) for each in cfgs]
    times = np.stack([measures.moments(it.crossing, cfg.horizon, cfg.rows) for it in theories])
    theta = starts.uniform_starts(
        keys, tokens=cfg.tokens, dimension=cfg.dimension, replicas=cfg.replicas
    )
    rows = flow.evolve(
        theta,
        schemes.start_lag(cfg.radius, scheme=cfg.scheme),
        betas,
        times,
        turn=schemes.turn_time(cfg.switch, scheme=cfg.scheme),
        tolerance=cfg.tolerance,
        scheme=cfg.scheme,
        rows_a_chunk=cfg.rows_a_chunk,
        journal=journal,
    )
    first = starts.beginnings(theta, betas, cfg.radius, scheme=cfg.scheme)
    exact = identities(cfg, betas, theories)
    results = []
    for k, each in enumerate(cfgs):
        curves, beginning = jax.tree.map(lambda leaf, k=k: np.asarray(leaf)[k], (rows, first))
        errors = {name: float(values[k]) for name, values in exact.items()}
        results.append(result(each, theories[k], times[k], curves, beginning, errors))
    return results


def predict(cfg: Phase, *, start: float = 0.0) -> Theory:
    """The equiangular model from rho = start on."""
    model = models.solve(
        cfg.beta,
        n=cfg.tokens,
        scheme=cfg.scheme,
        radius=cfg.radius,
        switch=cfg.switch,
        start=start,
    )
    return Theory(model, model.time_to(MET))


def identities(cfg: Phase, betas, theories: list[Theory]) -> dict[str, np.ndarray]:
    """The scalar model and the initial speed at these temperatures, from orthonormal tokens."""
    scheme, n = cfg.scheme, cfg.tokens
    times = np.stack([np.linspace(0, 1.2 * it.crossing, TRUTH_ROWS) for it in theories])
    lag = schemes.start_lag(cfg.radius, scheme=scheme)
    turn = schemes.turn_time(cfg.switch, scheme=scheme)
    gaps = flow.orthonormal_gaps(
        betas, lag, jnp.asarray(times), turn, TRUTH_TOLERANCE, n=n, scheme=scheme
    )
    truth = np.stack([it.model.gap(u) for it, u in zip(theories, times, strict=True)])
    tokens = jnp.broadcast_to(jnp.eye(n), (len(theories), 1, n, n))
    speed = starts.beginnings(tokens, betas, cfg.radius, scheme=scheme).speed[:, 0]
    formula = [schemes.initial_speed(float(b), cfg.radius, n=n, scheme=scheme) for b in betas]
    return {
        "model_error": np.abs(np.asarray(gaps) - truth).max(axis=1),
        "initial_speed_error": np.abs(np.asarray(speed) / np.array(formula) - 1),
    }


def result(
    cfg: Phase,
    theory: Theory,
    times: np.ndarray,
    rows: flow.Row,
    first: starts.Beginning,
    errors: dict[str, float],
) -> Result:
    """Summary and arrays of one run."""
    median, mean = np.asarray(rows.median), np.asarray(rows.mean)
    crossed = measures.crossings(times, median)
    summary = errors | crossing_summary(cfg, theory, crossed)
    summary |= rates(cfg, theory, times, mean)
    formula = schemes.initial_speed(cfg.beta, cfg.radius, n=cfg.tokens, scheme=cfg.scheme)
    scale = np.sqrt(np.log(cfg.tokens) / cfg.tokens) + np.log(cfg.tokens) / cfg.dimension
    summary["initial_speed_ratio"] = (first.speed / formula).tolist()
    summary["pull_ratio"] = (first.pull / scale).tolist()
    arrays = {
        "own_times": times,
        "pairs_met": np.asarray(rows.met),
        "mean_gap": mean,
        "crossed_at": crossed,
        "model_gap": theory.model.gap(times),
        "predicted": np.array(theory.crossing),
    }
    named = ("scheme", "beta", "dimension", "tokens", "switch")
    arrays |= {name: np.array(getattr(cfg, name)) for name in named}
    return Result(summary, arrays, {"never_crossed": int(np.isinf(crossed).sum())})


def crossing_summary(cfg: Phase, theory: Theory, crossed: np.ndarray) -> dict[str, Any]:
    """When half of the pairs have met: share of starts, median, width, against the prediction.

    `start_shift` is where the median lies between the predictions for rho = 0 (0) and for
    rho = 1/sqrt(dimension) (1), the size of one inner product at the start.
    """
    done, starts = int(np.isfinite(crossed).sum()), len(crossed)
    summary: dict[str, Any] = {
        "predicted_depth": depth(cfg, theory.crossing),
        "collapsed": Estimate(done / starts, *stats.proportion_interval(done, starts)),
        "crossing_width": measures.width(crossed),
    }
    if middle := measures.median(crossed):
        summary["crossing_depth"] = Estimate(*(depth(cfg, u) for u in middle))
        summary["crossing_ratio"] = Estimate(*(u / theory.crossing for u in middle))
        if cfg.dimension >= cfg.tokens:
            shifted = predict(cfg, start=cfg.dimension**-0.5).crossing
            unit = theory.crossing - shifted
            least_first = (middle.value, middle.high, middle.low)  # the earlier, the greater
            summary["start_shift"] = Estimate(*((theory.crossing - u) / unit for u in least_first))
    known = {name: value for name, value in summary.items() if value is not None}
    return {name: value for name, value in known.items() if np.isfinite(value).all()}


def depth(cfg: Phase, u: float) -> float:
    """The depth t at own time u; inf beyond what a float holds."""
    with np.errstate(over="ignore"):
        return float(np.exp(schemes.log_depth(u, cfg.switch, scheme=cfg.scheme)))


def rates(cfg: Phase, theory: Theory, times: np.ndarray, gaps: np.ndarray) -> dict[str, Any]:
    """Final rates, named by law: of the tokens (one a start that came so far), of the model."""
    law, rate = schemes.SCHEMES[cfg.scheme].law, partial(measures.final_rate, scheme=cfg.scheme)
    last, first = (theory.model.time_to(gap) for gap in measures.WINDOW)
    fine = np.linspace(first, last, 50)[1:-1]
    slopes = [rate(times, gap, cfg.switch) for gap in gaps]
    tokens = [slope for slope in slopes if slope is not None]
    model = rate(fine, theory.model.gap(fine), cfg.switch)
    summary = {f"{law}_rate": tokens or None, f"{law}_rate_model": model}
    return {name: value for name, value in summary.items() if value is not None}


EXPERIMENT = Experiment(
    config=Phase,
    run=batch.alone(many),
    claims=claims_beside(__file__),
    figures=figures.figures,
    reduce=sweep_figures.sweep_figures,
    x64=True,
    many=many,
    numbers=("beta",),
)
