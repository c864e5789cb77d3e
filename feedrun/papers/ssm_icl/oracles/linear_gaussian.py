"""Linear-Gaussian part of icl_oracles: LG1's exact mixture, LG4's ladder and its bank."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import kalman_lanes
from feedrun.papers.ssm_icl import families, theory
from feedrun.papers.ssm_icl.families import catalogue, linear_gaussian
from feedrun.papers.ssm_icl.families import evaluation as ev
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families.evaluation import Evaluation
from feedrun.papers.ssm_icl.oracles.reference import (
    LADDER,
    LADDER_KALMAN,
    LG1_EXCESS,
    LG4_BAYES,
    LG4_LAGS,
)

FEW = ("ar2", "last", "zero")
"""Estimators that meet LG1's and LG4-K's exact mixtures."""

LIBRARY = 16
"""Tasks of the finite set whose exact mixture is tested."""


def lg1(key: jax.Array, *, sequences: int, length: int, repeats: int):
    """Summary, arrays and evaluation of LG1: the exact price of not knowing the task."""

    @jax.jit
    def run(key):
        family = catalogue.lg1()
        batch = family.sample(jax.random.clone(key), count=sequences, length=length)
        rows = oracles.kalman_rows(batch)
        return ev.evaluate(family, key, count=sequences, length=length, only=FEW), rows.var[:, 0].T

    found, S = run(key)
    one = ev.evaluation(found)
    excess, S = ev.squared(one, "bayes", "genie"), np.asarray(S)
    cost = ev.curves(excess / S, repeats) * np.arange(length)
    innovation = (one.y - one.predictions["genie"])[..., 0] ** 2 / S
    summary: dict[str, Any] = {
        "lg1_cost": cost[:, -1].tolist(),
        "lg1_cost_growth": (cost[:, -1] - cost[:, length // 16]).tolist(),
        "lg1_calibration": ev.curves(innovation, repeats).mean(axis=1).tolist(),
        "lg1_table_z": table_z(excess, LG1_EXCESS),
    }
    arrays = {"lg1_excess": ev.curves(excess, repeats), "lg1_cost": cost}
    return _known(summary), arrays, one


def table_z(excess: np.ndarray, table: dict[int, tuple[float, float]]) -> float | None:
    """Largest |mean - table| at n past values in joint standard errors; None if none is covered."""
    scores = []
    for n, (value, error) in table.items():
        if n < excess.shape[1]:
            own = excess[:, n].std(ddof=1) / len(excess) ** 0.5
            scores.append(abs(excess[:, n].mean() - value) / np.hypot(own, error))
    return float(max(scores)) if scores else None


def _known(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if value is not None}


def ladder(key: jax.Array, *, tasks: int, repeats: int):
    """LG4: best risks from p past values and of the steady filter, means over tasks."""
    orders = np.array(list(LADDER))

    @jax.jit
    def run(key):
        drawn = linear_gaussian.lg4(key, tasks)
        rows = theory.lag_risks(drawn, lags=int(orders[-1]))[orders]
        steady = _steady_variance(drawn)
        return jnp.concatenate([rows, steady[None]])

    risks = ev.curves(np.asarray(run(key)).T, repeats)
    expected = np.array([*LADDER.values(), LADDER_KALMAN])
    summary = {f"lg4_rung_{name}": risks[:, k].tolist() for k, name in enumerate(_rungs())}
    summary["lg4_ladder_error"] = float(np.abs(risks.mean(axis=0) - expected).max())
    summary["lg4_least_step"] = (-np.diff(risks, axis=1)).min(axis=1).tolist()
    return summary, {"lg4_ladder": risks}


def _rungs() -> list[str]:
    return [*(f"ar{p}" for p in LADDER), "kalman"]


def _steady_variance(tasks: linear_gaussian.Tasks, *, steps: int = 512):
    """Variance of y after so many steps of the filter: 0.98^512 is 3e-5."""
    zero = jnp.zeros((steps, 1, len(tasks.q)))
    return kalman_lanes.predict(oracles.lanes(tasks), zero).var[-1, 0]


def bracket(key: jax.Array, *, sequences: int, length: int, banks: Sequence[int], repeats: int):
    """LG4: the Bayes risk between the genie's and that of banks of growing size.

    Banks and sequences in float32, as trained arms will meet them; all banks see the same
    sequences, and the smaller ones are beginnings of the larger.
    """
    keys = families.keys(key)
    genie, lag, y = _genie(keys.test, sequences, length)
    mixed = _banks(keys.library, y, tuple(banks))
    excess = dict(zip(banks, (np.asarray(mixed.mean, float) - genie[None]) ** 2, strict=True))
    effective = dict(zip(banks, np.asarray(mixed.effective), strict=True))
    last, middle, largest = length - 1, banks[-2], banks[-1]
    change = excess[largest][:, last] - excess[middle][:, last]
    summary: dict[str, Any] = {
        "bank_change_z": abs(change.mean()) / (change.std(ddof=1) / len(change) ** 0.5),
        "bank_effective": ev.curves(effective[middle], repeats)[:, last].tolist(),
        "bank_excess": ev.curves(excess[largest], repeats)[:, last].tolist(),
        "bank_table_z": table_z(excess[largest], LG4_BAYES),
    }
    best = excess[largest]
    for name, guess in lag.items():
        own = (guess - genie) ** 2
        table = {n: row for (lags, n), row in LG4_LAGS.items() if lags == name}
        summary[f"{name}_table_z"] = table_z(own, table) if table else None
        summary[f"{name}_over_bayes"] = (ev.curves(own - best, repeats)[:, last]).tolist()
    arrays = {f"lg4_excess_{size}": ev.curves(e, repeats) for size, e in excess.items()}
    arrays |= {f"lg4_effective_{size}": e.mean(axis=0) for size, e in effective.items()}
    arrays |= {f"lg4_excess_{n}": ev.curves((g - genie) ** 2, repeats) for n, g in lag.items()}
    return _known(summary), arrays | {"lg4_banks": np.array(banks)}


@partial(jax.jit, static_argnums=(1, 2))
def _draws(key, sequences, length):
    sample = linear_gaussian.sampler(linear_gaussian.lg4)
    batch = sample(key, count=sequences, length=length)
    lag = {name: guess(batch) for name, guess in catalogue.lag_ladder().items()}
    return oracles.genie(batch), lag, batch.targets


def _genie(key: jax.Array, sequences: int, length: int):
    """Genie, estimators and y (B, T)."""
    genie, lag, y = _draws(key, sequences, length)
    lag = {name: np.asarray(guess)[..., 0] for name, guess in lag.items()}
    return np.asarray(genie)[..., 0], lag, y[..., 0]


@partial(jax.jit, static_argnums=2)
def _banks(key, y, sizes):
    tasks = linear_gaussian.lg4(key, max(sizes))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (tasks, y))
    return oracles.growing_bank(*single, sizes=sizes)


def finite(key: jax.Array, *, sequences: int, length: int) -> Evaluation:
    """LG4-K against its exact mixture."""
    keys = families.keys(key)

    @jax.jit
    def run(library_key, test_key):
        family = catalogue.lg4_finite(library_key, tasks=LIBRARY)
        return ev.evaluate(family, test_key, count=sequences, length=length, only=FEW)

    return ev.evaluation(run(keys.library, keys.test))
