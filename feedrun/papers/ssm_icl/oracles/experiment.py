"""Are the oracles right, and what do they alone say of the paper's claims? No network is trained.

Paper: 2602.17744, Theorems 1 and 2.
Command: feedrun experiment=icl_oracles (minutes: see the yaml).
What should come out: filters equal conditioning; risks equal an independent computation; on
coloured noise Bayes beats every proper estimator by up to 1/(1-rho^2), and least squares on lags
beats it as well; on drifting weights static ridge gets worse with context.
"""

from typing import Annotated, Literal

import jax
from pydantic import Field, model_validator

from feedrun.experiment import Config, Experiment, Journal, Result, claims_beside
from feedrun.papers.ssm_icl.families import evaluation as ev
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families.evaluation import Evaluation
from feedrun.papers.ssm_icl.oracles import chains as checks_chains
from feedrun.papers.ssm_icl.oracles import exact, figures, linear_gaussian
from feedrun.papers.ssm_icl.oracles import regression as checks_regression

Count = Annotated[int, Field(gt=0)]


class Linear(Config):
    """Sizes of the linear-Gaussian part: sequences, their lengths, prior draws of the banks."""

    lg1_sequences: Count
    lg1_length: Annotated[int, Field(ge=32)]
    ladder_tasks: Count
    sequences: Count
    length: Annotated[int, Field(ge=16)]
    banks: Annotated[
        list[Annotated[int, Field(gt=0, multiple_of=oracles.GROUP)]], Field(min_length=2)
    ]


class Regression(Config):
    """Sizes of the regression part: sequences and lengths; designs of exact averages."""

    sequences: Count
    length: Annotated[int, Field(ge=16)]
    drift_sequences: Count
    drift_length: Annotated[int, Field(ge=16)]
    designs: Count
    efficiency_designs: Count


class Chains(Config):
    """Sizes of the symbols' part: MC's alphabets with sequences of each, SM's, LG-MOP's."""

    alphabets: list[Literal[2, 3, 8, 27]]
    alphabet_sequences: list[Count]
    sequences: Count
    length: Annotated[int, Field(ge=16)]
    protocol_sequences: Count
    protocol_length: Annotated[int, Field(ge=8)]

    @model_validator(mode="after")
    def _one_count_an_alphabet(self):
        if len(self.alphabets) != len(self.alphabet_sequences):
            raise ValueError(
                f"alphabets and alphabet_sequences must be of one length, got {self.alphabets} "
                f"and {self.alphabet_sequences}"
            )
        return self


class Checks(Config):
    """Settings of icl_oracles; every sequence count is split over `repeats`."""

    repeats: Annotated[int, Field(ge=3)]
    exact_tasks: Count
    exact_steps: Annotated[int, Field(ge=4)]
    linear: Linear
    regression: Regression
    chains: Chains


def run(cfg: Checks, key: jax.Array, journal: Journal) -> Result:
    """Every part in turn, each with its own key."""
    keys = iter(jax.random.split(key, 13))
    summary, arrays = exact.measure(
        next(keys), tasks=cfg.exact_tasks, steps=cfg.exact_steps, designs=cfg.regression.designs
    )
    journal.progress(1, 5)
    evaluations: dict[str, list[Evaluation]] = {}
    evaluations["linear"] = linear(cfg.linear, cfg.repeats, keys, summary, arrays)
    journal.progress(2, 5)
    evaluations["regression"] = regression(cfg.regression, cfg.repeats, keys, summary, arrays)
    journal.progress(4, 5)
    evaluations["chains"] = chains(cfg.chains, cfg.repeats, keys, summary, arrays)
    every = [one for part in evaluations.values() for one in part]
    floors = [floor for one in every for floor in ev.floor_scores(one)]
    orthogonal = [abs(z) for one in every for z in ev.orthogonality_scores(one)]
    summary["floor_z"] = min(floor.average for floor in floors)
    summary["floor_position_z"] = min(floor.lowest for floor in floors)
    summary["orthogonality_z"] = max(orthogonal)
    known = {name: value for name, value in summary.items() if value is not None}
    return Result(known, arrays, {"predictors_tested": len(orthogonal)})


def linear(cfg: Linear, repeats: int, keys, summary, arrays) -> list[Evaluation]:
    """LG1, LG4-K, LG4; adds to summary and arrays."""
    found, curves, one = linear_gaussian.lg1(
        next(keys), sequences=cfg.lg1_sequences, length=cfg.lg1_length, repeats=repeats
    )
    rungs, ladder = linear_gaussian.ladder(next(keys), tasks=cfg.ladder_tasks, repeats=repeats)
    sizes = {"sequences": cfg.sequences, "length": cfg.length}
    bracket, excess = linear_gaussian.bracket(next(keys), banks=cfg.banks, repeats=repeats, **sizes)
    finite = linear_gaussian.finite(next(keys), **sizes)
    summary |= found | rungs | bracket
    arrays |= curves | ladder | excess
    return [one, finite]


def regression(cfg: Regression, repeats: int, keys, summary, arrays) -> list[Evaluation]:
    """CNR, DR, ARc; adds to summary and arrays."""
    found, curves, coloured = checks_regression.coloured(
        next(keys), sequences=cfg.sequences, length=cfg.length, repeats=repeats
    )
    drift, bends, drifting = checks_regression.drifting(
        next(keys), sequences=cfg.drift_sequences, length=cfg.drift_length, repeats=repeats
    )
    dropped, control = checks_regression.control(
        next(keys), sequences=cfg.drift_sequences, length=cfg.length
    )
    summary |= found | drift | dropped
    summary |= checks_regression.invariance(next(keys), designs=cfg.designs)
    summary |= checks_regression.efficiency(
        next(keys), designs=cfg.efficiency_designs, repeats=repeats
    )
    arrays |= curves | bends
    return [*coloured, *drifting, control]


def chains(cfg: Chains, repeats: int, keys, summary, arrays) -> list[Evaluation]:
    """MC, SM, LG-MOP; adds to summary and arrays."""
    counts: dict[int, int] = dict(zip(cfg.alphabets, cfg.alphabet_sequences, strict=True))
    found, curves = checks_chains.markov(
        next(keys), sequences=counts, length=cfg.length, repeats=repeats
    )
    modes, switching = checks_chains.switching(
        next(keys), sequences=cfg.sequences, length=cfg.length
    )
    summary |= found
    summary |= checks_chains.protocol(
        next(keys),
        sequences=cfg.protocol_sequences,
        length=cfg.protocol_length,
        repeats=repeats,
    )
    arrays |= curves | modes
    return [switching]


EXPERIMENT = Experiment(
    config=Checks, run=run, claims=claims_beside(__file__), figures=figures.figures, x64=True
)
