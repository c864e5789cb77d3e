"""Regression part of icl_oracles: coloured noise, drifting weights, the control ARc."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.papers.ssm_icl import theory
from feedrun.papers.ssm_icl.families import catalogue, regression, scores
from feedrun.papers.ssm_icl.families import evaluation as ev
from feedrun.papers.ssm_icl.families import regression_oracles as exact
from feedrun.papers.ssm_icl.families.evaluation import Evaluation
from feedrun.papers.ssm_icl.families.regression import NOISE, REGRESSORS
from feedrun.papers.ssm_icl.oracles.reference import CNR, CNR_ERROR, DRIFT, DRIFT_ERROR

RHOS, DRIFTS = (0.0, 0.5, 0.9), (1.0, 0.99, 0.95)
SHARE = 8
"""The predictor that does not know rho runs on every SHARE-th sequence: 39 times the work."""


def coloured(key: jax.Array, *, sequences: int, length: int, repeats: int):
    """CNR at three correlations: summary, arrays, evaluations."""

    @jax.jit
    def run(key, rho):
        family = catalogue.coloured(rho=rho)
        batch = family.sample(jax.random.clone(key), count=sequences, length=length)
        x, y = batch.regressors, batch.targets[..., 0]
        own = exact.coloured_regression(x.transpose(1, 2, 0), y.T, batch.task.rho)
        few = slice(None, None, SHARE)
        mixed = exact.unknown_correlation(x[few], y[few], regression.rho_grid())
        return ev.evaluate(family, key, count=sequences, length=length), own, mixed.mean

    summary, arrays, evaluations, z = {}, {}, [], []
    for rho, own_key in zip(RHOS, jax.random.split(key, len(RHOS)), strict=True):
        found, own, unknown = run(own_key, rho)
        one = ev.evaluation(found)
        risks = coloured_risks(one, own, np.asarray(unknown), rho, repeats)
        z += [table_row_z(risks, n, row) for (r, n), row in CNR.items() if r == rho and n < length]
        summary |= coloured_claims(risks, rho, length)
        arrays |= {f"cnr_{rho:g}_{name}": value for name, value in risks.items()}
        evaluations.append(one)
    summary["cnr_table_z"] = max(z) if z else None
    return summary, arrays, evaluations


def coloured_risks(one: Evaluation, own, unknown, rho: float, repeats: int):
    """Risks (R, T) by predictor; those of Bayes and of the best proper one are averaged over y."""
    spread, leverage = np.asarray(own.spread).T, np.asarray(own.leverage).T
    bayes = (1 - rho**2) * NOISE + spread + rho**2 * leverage
    bayes[:, 0] = np.asarray(own.var)[0].mean()
    excess = {"bayes": bayes, "proper": NOISE + spread}
    for name in ("ols", "ridge", "lsa", "arx_ols", "arx_ridge"):
        excess[name] = bayes + ev.squared(one, name, "bayes")
    known = one.predictions["bayes"][::SHARE, :, 0]
    excess["unknown"] = bayes[::SHARE] + (unknown - known) ** 2
    return {name: ev.curves(value, repeats) for name, value in excess.items()}


def table_row_z(risks: dict[str, np.ndarray], n: int, row: dict[str, Any]) -> float:
    """Largest deviation of a row of the table in joint standard errors."""
    z = []
    for name, expected in row.items():
        value, error = expected if isinstance(expected, tuple) else (expected, CNR_ERROR)
        repeats = risks[name][:, n]
        own = repeats.std(ddof=1) / len(repeats) ** 0.5
        z.append(abs(repeats.mean() - value) / np.hypot(own, error))
    return float(max(z))


def coloured_claims(risks: dict[str, np.ndarray], rho: float, length: int) -> dict[str, Any]:
    """What is claimed of one correlation, at 40 and 80 pairs (the last position if shorter)."""
    middle, last = min(40, length // 2), length - 1
    ratio = risks["proper"] / risks["bayes"]
    summary: dict[str, Any] = {f"separation_{rho:g}": ratio[:, last].tolist()}
    limit = theory.separation(rho)
    summary[f"separation_share_{rho:g}"] = (ratio[:, last] / limit).tolist()
    if rho == 0:
        summary["placebo_lags"] = (risks["arx_ridge"] - risks["ridge"])[:, middle].tolist()
    if rho == max(RHOS):
        arx = risks["arx_ols"] / risks["bayes"]
        summary |= {"arx_40": arx[:, middle].tolist(), "arx_80": arx[:, last].tolist()}
        summary["unknown_rho_cost"] = (risks["unknown"] / risks["bayes"])[:, last].tolist()
    return summary


def invariance(key: jax.Array, *, designs: int, n: int = 40) -> dict[str, float]:
    """z of the difference of proper estimators' risks at rho = 0.9 and 0 over designs."""
    X = jax.random.normal(key, (designs, n, REGRESSORS))

    @jax.jit
    def run(X):
        def at(rho):
            risks = partial(theory.proper_risks, noise=NOISE, prior=1 / REGRESSORS)
            return jax.vmap(lambda X: risks(X, rho))(X)

        return at(0.9), at(0.0)

    coloured, white = (value._asdict() for value in run(X))
    z = {name: scores.z_score(np.asarray(coloured[name] - white[name])) for name in coloured}
    formula = float(theory.ols_risk(jnp.array([float(n)]), d=REGRESSORS, noise=NOISE)[0])
    z["ols_formula"] = scores.z_score(np.asarray(coloured["ols"]) - formula)
    return {"rho_invariance_z": max(abs(v) for v in z.values())}


def efficiency(key: jax.Array, *, designs: int, repeats: int, n: int = 400, rho: float = 0.9):
    """Var OLS / Var GLS of one weight at n = 400 over its limit, one a repeat."""
    x = jax.random.normal(key, (repeats, designs, n))
    run = jax.jit(lambda x: jax.lax.map(lambda x: theory.gls_variances(x, rho), x, batch_size=64))
    ols, gls = (np.asarray(v).reshape(repeats, designs).mean(axis=1) for v in run(x.reshape(-1, n)))
    return {"efficiency": (ols / gls / theory.efficiency(0.0, rho)).tolist()}


def drifting(key: jax.Array, *, sequences: int, length: int, repeats: int):
    """DR: the filter is flat where static ridge turns up."""

    @jax.jit
    def run(key, a):
        family = catalogue.drifting(a=a)
        batch = family.sample(jax.random.clone(key), count=sequences, length=length)
        x, y = batch.regressors.transpose(1, 2, 0), batch.targets[..., 0].T
        spread = exact.drifting_regression(x, y, batch.task).spread
        return ev.evaluate(family, key, count=sequences, length=length), spread

    summary, arrays, evaluations, z = {}, {}, [], []
    for a, own_key in zip(DRIFTS, jax.random.split(key, len(DRIFTS)), strict=True):
        found, spread = run(own_key, a)
        one = ev.evaluation(found)
        bayes = NOISE + np.asarray(spread).T
        risks = {"bayes": ev.curves(bayes, repeats)}
        for name in one.predictions:
            if name not in ("genie", "bayes", "zero", "ols"):
                risks[name] = ev.curves(bayes + ev.squared(one, name, "bayes"), repeats)
        z += drift_z(risks, a, length)
        arrays |= {f"dr_{a:g}_{name}": value for name, value in risks.items()}
        evaluations.append(one)
        if a == 0.99:
            early, late = min(20, length // 2), length - 1
            turn, middle = risks["ridge"][:, late] - risks["ridge"][:, early], min(40, length // 2)
            summary["ridge_turn"] = turn.tolist()
            summary["kalman_rise"] = (risks["bayes"][:, late] - risks["bayes"][:, middle]).tolist()
    summary["dr_table_z"] = max(z) if z else None
    return summary, arrays, evaluations


def drift_z(risks: dict[str, np.ndarray], a: float, length: int) -> list[float]:
    """Deviations from the table of DR in joint standard errors."""
    z = []
    for (own, name), row in DRIFT.items():
        for n, value in row.items() if own == a else ():
            if n < length:
                error = DRIFT_ERROR * (2 if n == 5 and name == "ridge" else 1)
                z.append(table_row_z(risks, n, {name: (value, error)}))
    return z


def control(key: jax.Array, *, sequences: int, length: int) -> tuple[dict[str, Any], Evaluation]:
    """ARc: ridge is Bayes; how many sequences explode."""

    @jax.jit
    def run(key):
        return ev.evaluate(catalogue.autoregression(), key, count=sequences, length=length)

    one = ev.evaluation(run(key))
    return {"ar_dropped": 1 - one.kept}, one
