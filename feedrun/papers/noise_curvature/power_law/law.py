"""The law of one trained network: on all its samples, and against how many were measured."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import commutation, curvature, fits, spectra
from feedrun.papers.noise_curvature import exponents, theory
from feedrun.papers.noise_curvature.exponents import Exponents
from feedrun.papers.noise_curvature.layer import Layer

Metrics = dict[str, float]
Arrays = dict[str, np.ndarray]

LAYERWISE = ("gamma_emp_layerwise", "gamma_e2_layerwise")


class Rung(NamedTuple):
    """Exponents of n samples in their own basis, and of n others in that same basis.

    `coverage` is N_eff / D of the first n; `crossfit` are the diagonals of the second n samples,
    `draws` bootstrap replicates of their fit.
    """

    inside: Exponents
    outside: Exponents
    coverage: float
    crossfit: curvature.Diagonals
    draws: Exponents


def whole(
    key, layer: Layer, params, xs, Q, *, window: int, replicates: int, shown: int
) -> tuple[Metrics, Arrays]:
    """Everything measured on all samples at once, the `window` stiffest directions fitted.

    `Q` is a random rotation, the baseline of alignment; `shown` directions are kept for heat maps.
    """
    m = layer.moments(params, xs)
    lam, V = (jnp.asarray(x) for x in spectra.eigh_descending(m.H))
    kap, q = layer.spectra(params, xs), layer.projections(params, xs, V[:, :window])
    F = layer.fisher(params, xs, V[:, :window]) if layer.loss.nll else None
    K = _rotated(m, V, Q)
    every = curvature.Diagonals(jnp.diagonal(K["C"]), lam, jnp.diagonal(K["E2"]))
    draws = exponents.replicates(key, q, count=replicates)
    arrays = {
        **{f"{name}_diag": x for name, x in every._asdict().items()},
        **{f"heat_{name}": k[:shown, :shown].astype(jnp.float32) for name, k in K.items()},
        "interval_in_sample": exponents.gamma_intervals(draws),
    }
    metrics = _metrics(K, every, q, F, kap, window=window, convex=layer.loss.convex)
    return {k: float(v) for k, v in metrics.items()}, {k: np.asarray(v) for k, v in arrays.items()}


@partial(jax.jit, static_argnames=("window", "convex"))
def _metrics(
    K, every: curvature.Diagonals, q, F, kap, *, window: int, convex: bool
) -> dict[str, Any]:
    """All numbers of `whole`; the window's diagonals from projections, which do not cancel.

    Without a Fisher matrix F nothing is said of it; the sandwich is stated of a convex loss alone.
    """
    stiffness = jnp.abs(kap).max(-1)
    d, curved = curvature.diagonals(q, jnp.ones_like(stiffness)), exponents.alive(every)
    return {
        **_exponents(d),
        **({} if F is None else _fisher(F, d, every)),
        **_alignment(K, every.H, window=window),
        **({"sandwich_slack": theory.sandwich_slack(curved, stiffness.max())} if convex else {}),
        **_signs(every, curved, kap),
        "n_eff_over_d": spectra.participation_ratio(stiffness) / len(every.H),
        "unfitted": exponents.unfitted(d),
        **dict(zip(LAYERWISE, exponents.layerwise(every), strict=True)),
    }


def ladder(
    key,
    layer: Layer,
    params,
    xs,
    *,
    sizes: Sequence[int],
    splits: int,
    window: int,
    replicates: int,
    tick: Callable[[], None],
) -> tuple[Metrics, Arrays]:
    """Exponents against the number of measured samples, in-sample and cross-fit, at fixed weights.

    The largest size gives the headline: basis from one half of the data, diagonals from the other.
    """
    kap, rungs = jnp.abs(layer.spectra(params, xs)).max(-1), []
    for size, size_key in zip(sizes, jax.random.split(key, len(sizes)), strict=True):
        rungs.append([])
        for split_key in jax.random.split(size_key, splits):
            order_key, draw_key = jax.random.split(split_key)
            order = jax.random.permutation(order_key, len(kap))
            rungs[-1].append(
                rung(
                    draw_key,
                    layer,
                    params,
                    xs,
                    kap,
                    order,
                    size=size,
                    window=window,
                    replicates=replicates,
                )
            )
            tick()
    return _ladder_metrics(rungs, sizes), _ladder_arrays(rungs)


def rung(
    key, layer: Layer, params, xs, kap, order, *, size: int, window: int, replicates: int
) -> Rung:
    """Basis and diagonals from the first `size` samples of `order`, diagonals of the next ones."""
    ours, theirs = (jax.tree.map(lambda x: x[i], xs) for i in (order[:size], order[size:][:size]))
    m = layer.moments(params, ours)
    lam, V = (jnp.asarray(x[..., :window]) for x in spectra.eigh_descending(m.H))
    q = layer.projections(params, theirs, V)
    inside = curvature.Diagonals(curvature.along(m.C, V), lam, curvature.along(m.E2, V))
    outside = curvature.diagonals(q, jnp.ones(size, V.dtype))
    return Rung(
        exponents.exponents(inside),
        exponents.exponents(outside),
        float(spectra.participation_ratio(kap[order[:size]]) / len(V)),
        outside,
        exponents.replicates(key, q, count=replicates),
    )


@jax.jit
def _rotated(m: curvature.Moments, V, Q) -> dict[str, Any]:
    """C and E2 in the eigenbasis of H and in a random one."""
    pairs = {"C": (m.C, V), "E2": (m.E2, V), "C_random": (m.C, Q), "E2_random": (m.E2, Q)}
    return {name: U.T @ A @ U for name, (A, U) in pairs.items()}


def _exponents(d: curvature.Diagonals) -> dict[str, Any]:
    """The headline fits in-sample, with how straight the law is."""
    e, (quadratic, stiff_bend) = exponents.exponents(d), exponents.bend(d)
    return {
        **e._asdict(),
        "prediction_gap": e.gamma_e2 - e.gamma_emp,
        "quadratic": quadratic,
        "stiff_bend": stiff_bend,
        "decades": fits.decades(exponents.alive(d).H),
        "constant": exponents.median_ratio(d),
    }


def _signs(every: curvature.Diagonals, curved: curvature.Diagonals, kap) -> dict[str, Any]:
    """Flat and negative directions of H; the negative share of the samples' own curvature."""
    negative = exponents.ALIVE * every.H.max() < -every.H
    return {
        "flat_directions": (curved.H == 0).sum() - negative.sum(),
        "negative_directions": negative.sum(),
        "negative_share": -jnp.minimum(kap, 0).sum() / jnp.abs(kap).sum(),
    }


def _fisher(F, d: curvature.Diagonals, every: curvature.Diagonals) -> dict[str, Any]:
    """The Fisher matrix follows H, the covariance with the data's labels does not."""
    H = exponents.alive(d).H
    error = jnp.where(H > 0, jnp.abs(F / jnp.where(H > 0, H, 1) - 1), 0)
    return {
        "fisher_slope": fits.power_law(H, F).slope,
        "fisher_error": error.max(),
        "noise_to_curvature": every.C.sum() / every.H.sum(),
    }


def _alignment(K: dict[str, Any], lam, *, window: int) -> dict[str, Any]:
    """Metrics m1, m3 (whole matrix) and m5 (the window), and each over its random baseline."""
    out = {}
    for name in ("C", "E2"):
        true, random = (_commutation(K[k], lam, window) for k in (name, f"{name}_random"))
        out |= {f"{metric}_{name}": value for metric, value in true.items()}
        out |= {f"{metric}_ratio_{name}": true[metric] / random[metric] for metric in true}
        PR = spectra.matrix_participation_ratio(K[name])
        out[f"coherence_formula_{name}"] = commutation.random_coherence(PR)
    return out


def _commutation(K, lam, window: int) -> dict[str, Any]:
    return {
        "commutator": commutation.relative_commutator(K, lam),
        "diagonal_energy": commutation.diagonal_energy(K),
        "coherence": commutation.mean_coherence(K[:window, :window]),
    }


def _ladder_metrics(rungs: list[list[Rung]], sizes: Sequence[int]) -> Metrics:
    """Cross-fit headline from the largest size, and how gamma falls with the sample count."""
    last = _mean([r.outside for r in rungs[-1]])
    inside = [float(_mean([r.inside for r in row]).gamma_emp) for row in rungs]
    unfitted = [int(exponents.unfitted(r.crossfit)) for r in rungs[-1]]
    metrics = {
        **{f"{name}_crossfit": value for name, value in last._asdict().items()},
        "prediction_gap_crossfit": last.gamma_e2 - last.gamma_emp,
        "unfitted_crossfit": np.mean(unfitted),
        "gamma_excess": inside[-1] - last.gamma_emp,
        "gamma_per_tenfold": np.polyfit(np.log10(sizes), inside, 1)[0],
    }
    return {name: float(value) for name, value in metrics.items()}


def _ladder_arrays(rungs: list[list[Rung]]) -> Arrays:
    """(sizes, splits) arrays of both exponents; of the largest size a law and pooled replicates."""
    grid = lambda f: np.array([[float(f(r)) for r in row] for row in rungs])  # noqa: E731
    pooled = jax.tree.map(lambda *x: jnp.concatenate(x), *[r.draws for r in rungs[-1]])
    return {
        "ladder_emp_in_sample": grid(lambda r: r.inside.gamma_emp),
        "ladder_e2_in_sample": grid(lambda r: r.inside.gamma_e2),
        "ladder_emp_crossfit": grid(lambda r: r.outside.gamma_emp),
        "ladder_e2_crossfit": grid(lambda r: r.outside.gamma_e2),
        "ladder_coverage": grid(lambda r: r.coverage),
        **{f"{k}_crossfit_diag": np.asarray(v) for k, v in rungs[-1][0].crossfit._asdict().items()},
        "interval_crossfit": np.asarray(exponents.gamma_intervals(pooled)),
    }


def _mean(fitted: list[Exponents]) -> Exponents:
    """The mean over splits."""
    return jax.tree.map(lambda *x: jnp.stack(x).mean(), *fitted)
