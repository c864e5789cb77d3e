"""The families by name, each with its genie, its Bayes predictor and its estimators.

    lg1, lg4                 linear-Gaussian systems from a prior     (LG1, LG4)
    lg4_finite               one of K systems of LG4, frozen          (LG4-K)
    mop                      the systems of a published protocol      (LG-MOP)
    coloured, drifting       regression with AR(1) noise, with moving weights     (CNR, DR)
    autoregression           the control on which ridge is Bayes      (ARc)
    markov, switching        symbols                                  (MC, SM)

Build a family once and keep it: its functions are what compiled programs are remembered by.
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from feedrun.maths import kalman_lanes
from feedrun.papers.ssm_icl.families import (
    chain_oracles,
    chains,
    estimators,
    linear_gaussian,
    regression,
)
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families import regression_oracles as exact
from feedrun.papers.ssm_icl.families.base import Batch, Family, Predictor, Scalar
from feedrun.papers.ssm_icl.families.linear_gaussian import Tasks
from feedrun.papers.ssm_icl.families.regression import (
    AR_DEVIATION,
    AR_LAGS,
    NOISE,
    REGRESSORS,
    Format,
)

LAG_PENALTIES = {1: 8.0, 2: 8.0, 4: 12.0, 8: 24.0}
"""Ridge penalties of AR(p), the best for LG4 over 64 positions of 8192 tuning sequences, out of
0.5, 1, 2, 3, 4, 6, 8, 12, 16 and 24."""


def lg1() -> Family:
    """LG1: a number that decays, seen with noise; 384 tasks, so Bayes is exact."""
    return of_tasks(linear_gaussian.lg1_grid())


def lg4(bank_key: Key[Array, ""], *, bank: int) -> Family:
    """LG4: four states turning and decaying; Bayes is the mixture over `bank` prior draws."""
    draws = linear_gaussian.lg4(bank_key, bank)
    return _linear(linear_gaussian.lg4, oracles.bank_predictor(draws), exact=False)


def lg4_finite(library_key: Key[Array, ""], *, tasks: int) -> Family:
    """LG4-K: one of K frozen systems of LG4, equally likely; Bayes is their exact mixture."""
    return of_tasks(linear_gaussian.lg4(library_key, tasks))


def of_tasks(tasks: Tasks) -> Family:
    """Any finite set of systems with one coordinate of y, equally likely; Bayes is exact."""
    return _linear(partial(linear_gaussian.chosen, tasks), oracles.bank_predictor(tasks))


def mop(*, triangular: bool, coloured: bool) -> Family:
    """LG-MOP: ten states, five coordinates of y; no Bayes predictor that does not know the task."""
    taps = linear_gaussian.MOP_TAPS if coloured else 1
    draw = partial(linear_gaussian.mop, triangular=triangular)
    genie = partial(oracles.coloured_genie, taps=taps) if coloured else oracles.wide_genie
    return Family(
        sample=linear_gaussian.sampler(draw, taps=taps),
        inputs=linear_gaussian.MOP_OUTPUTS + 1,
        outputs=linear_gaussian.MOP_OUTPUTS,
        kind="number",
        genie=genie,
        bayes=None,
        estimators={
            "inflated": partial(oracles.inflated_genie, taps=taps),
            "last": estimators.last_value,
            "zero": estimators.zero,
        },
    )


def lag_ladder() -> dict[str, Predictor]:
    """AR(p)-ridge by name, ar1 to ar8."""
    return {
        f"ar{order}": estimators.lag_ridge(penalty, order=order)
        for order, penalty in LAG_PENALTIES.items()
    }


def _linear(draw: Callable, bayes: Predictor, *, exact: bool = True) -> Family:
    """A family of systems with one coordinate of y."""
    return Family(
        sample=linear_gaussian.sampler(draw),
        inputs=2,
        outputs=1,
        kind="number",
        genie=oracles.genie,
        bayes=bayes,
        estimators=lag_ladder() | {"last": estimators.last_value, "zero": estimators.zero},
        exact=exact,
    )


def coloured(
    *,
    rho: Scalar | None,
    tokens: Format = "lag",
    regressor_rho: Scalar = 0.0,
    white: float = 0.0,
) -> Family:
    """CNR with noise of correlation `rho`; None: unknown, uniform on 39 points (CNR-mix).

    `regressor_rho`: of AR(1) regressors; `white`: variance of extra white noise. With white noise
    the correlation must be known. The genie knows w as well.
    """
    if white and rho is None:
        raise ValueError("white noise on top needs a known rho: give rho, or white=0")
    rhos = regression.rho_grid() if rho is None else jnp.full((1,), rho)
    bayes = partial(_state_form, white=white) if white else _known_correlation
    ratio = NOISE * REGRESSORS
    return Family(
        sample=regression.coloured_sampler(
            rhos, regressor_rho=regressor_rho, white=white, tokens=tokens
        ),
        inputs=regression.width(tokens),
        outputs=1,
        kind="number",
        genie=partial(_noise_genie, white=white),
        bayes=partial(_unknown_correlation, rhos=rhos) if rho is None else bayes,
        estimators={
            "ols": estimators.ols,
            "ridge": estimators.ridge(ratio),
            "lsa": estimators.one_step(noise_to_prior=ratio),
            "arx_ols": estimators.arx_ols,
            "arx_ridge": estimators.arx_ridge(ratio),
            "zero": estimators.zero,
        },
        stride=2 if tokens == "interleaved" else 1,
    )


def drifting(*, a: Scalar, tokens: Format = "lag") -> Family:
    """DR: weights that forget at rate a; a = 1 is ordinary Bayesian linear regression."""
    ratio = NOISE * REGRESSORS
    return Family(
        sample=regression.drifting_sampler(a, tokens=tokens),
        inputs=regression.width(tokens),
        outputs=1,
        kind="number",
        genie=_drifting,
        bayes=_drifting,
        estimators={
            "ridge": estimators.ridge(ratio),
            **{f"forget_{f:g}": estimators.ridge(ratio, forgetting=f) for f in (0.8, 0.9, 0.95)},
            "ols": estimators.ols,
            "zero": estimators.zero,
        },
        stride=2 if tokens == "interleaved" else 1,
    )


def autoregression() -> Family:
    """ARc: ridge on two lags with penalty 25 is the Bayes predictor."""
    bayes = estimators.ridge(1 / AR_DEVIATION**2)
    return Family(
        sample=regression.autoregression_sampler(),
        inputs=2,
        outputs=1,
        kind="number",
        genie=_lags_genie,
        bayes=bayes,
        estimators={
            f"ar{2 * AR_LAGS}": estimators.lag_ridge(1 / AR_DEVIATION**2, order=2 * AR_LAGS),
            "ols": estimators.ols,
            "last": estimators.last_value,
            "zero": estimators.zero,
        },
    )


def markov(*, symbols: int, alpha: float, order: int = 1) -> Family:
    """MC: Bayes adds alpha to the counts of what followed the last `order` symbols."""
    counts = partial(chain_oracles.counts, symbols=symbols, alpha=alpha)
    return Family(
        sample=chains.markov_sampler(symbols=symbols, alpha=alpha, order=order),
        inputs=symbols + 1,
        outputs=symbols,
        kind="symbol",
        genie=partial(chain_oracles.known_rows, symbols=symbols, order=order),
        bayes=partial(counts, order=order),
        estimators={"unigram": partial(counts, order=0)},
    )


def switching(library_key: Key[Array, ""]) -> Family:
    """SM: Bayes is the forward filter over the hidden mode; the genie sees the mode."""
    library = chains.switching_library(library_key)
    sizes = {"symbols": chains.MODE_SYMBOLS, "alpha": chains.MODE_ALPHA}
    return Family(
        sample=chains.switching_sampler(library),
        inputs=chains.MODE_SYMBOLS + 1,
        outputs=chains.MODE_SYMBOLS,
        kind="symbol",
        genie=partial(chain_oracles.known_modes, library=library),
        bayes=partial(chain_oracles.forward, library=library),
        estimators={
            "bigram": partial(chain_oracles.counts, order=1, **sizes),
            "unigram": partial(chain_oracles.counts, order=0, **sizes),
        },
    )


def _lanes(batch: Batch) -> tuple[Float[Array, "T D B"], Float[Array, "T B"]]:
    """Regressors and values with the batch last."""
    return batch.regressors.transpose(1, 2, 0), batch.targets[..., 0].T


def _known_correlation(batch: Batch) -> Float[Array, "B T 1"]:
    return exact.coloured_regression(*_lanes(batch), batch.task.rho).mean.T[..., None]


def _unknown_correlation(batch: Batch, *, rhos: Float[Array, "G"]) -> Float[Array, "B T 1"]:
    found = exact.unknown_correlation(batch.regressors, batch.targets[..., 0], rhos)
    return found.mean[..., None]


def _state_form(batch: Batch, *, white: float) -> Float[Array, "B T 1"]:
    x, y = _lanes(batch)
    own = exact.state_form(batch.task.rho, x, white=white)
    return kalman_lanes.predict(own, y[:, None]).mean.transpose(2, 0, 1)


def _noise_genie(batch: Batch, *, white: float) -> Float[Array, "B T 1"]:
    x, y = _lanes(batch)
    signal = jnp.sum(x * batch.task.w.T[None], axis=1)
    own = exact.noise_filter(batch.task.rho, white=white)
    return (signal + kalman_lanes.predict(own, (y - signal)[:, None]).mean[:, 0]).T[..., None]


def _drifting(batch: Batch) -> Float[Array, "B T 1"]:
    return exact.drifting_regression(*_lanes(batch), batch.task).mean.T[..., None]


def _lags_genie(batch: Batch) -> Float[Array, "B T 1"]:
    return jnp.sum(batch.task[:, None] * batch.regressors, axis=-1, keepdims=True)
