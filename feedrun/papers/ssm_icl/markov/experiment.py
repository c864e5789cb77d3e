"""Do trained arms learn random Markov chains in context, and does the convolution decide it?

Paper: 2602.17744, its character-level Markov benchmark.
Command: feedrun experiment=icl_markov (minutes: see the yaml).
What should come out: one selective layer with a short convolution reaches the add-constant rule,
which is Bayes; without it the same layer stays near the counts of single symbols. A linear
Transformer is compared with the selective SSM with the convolution on both sides and on neither.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from feedrun.experiment import Config, Experiment, Journal, Result, claims_beside, one_of
from feedrun.experiment.metrics import arms_at_an_edge
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.comparison import Comparison, arm_results, compare
from feedrun.papers.ssm_icl.arms.config import Names
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import Network, Training
from feedrun.papers.ssm_icl.families import Family, Keys, catalogue
from feedrun.papers.ssm_icl.markov import figures
from feedrun.papers.ssm_icl.markov.measures import comparisons, one_layer

CHAINS: dict[str, Callable[[Any], Family]] = {
    "mc3": lambda key: catalogue.markov(symbols=3, alpha=1.0),
    "mc8": lambda key: catalogue.markov(symbols=8, alpha=1.0),
    "mc27": lambda key: catalogue.markov(symbols=27, alpha=0.1),
    "switching": catalogue.switching,
}
"""Our own sizes: the paper's alphabet, order and prior are not known."""

MAIN, ONE_LAYER, REFERENCE = "mc3", "one_layer", "bayes"


class Markov(Config):
    """Settings of icl_markov: which arms are trained on which chain (null: none).

    at:        symbols seen after which the divergences are reported.
    deciding:  symbols seen at which claims on one position are decided (199: the 200th symbol).
    one_layer: arms that are trained on mc3 with a single layer as well.
    """

    chains: dict[Annotated[str, one_of(CHAINS, "chain")], Names | None]
    one_layer: Names
    length: Annotated[int, Field(ge=4)]
    test_length: Annotated[int, Field(ge=4)]
    at: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    deciding: Annotated[int, Field(ge=1)]
    sequences: Annotated[int, Field(ge=8)]
    network: Network
    training: Training

    @model_validator(mode="after")
    def _within(self):
        if not self.chains.get(MAIN):
            raise ValueError(f"chains must have {MAIN}, got {', '.join(self.chains)}")
        if self.test_length < self.length:
            raise ValueError(f"test_length={self.test_length} is below length={self.length}")
        if max(self.at) >= self.test_length:
            raise ValueError(f"at={self.at} must be below test_length={self.test_length}")
        if self.deciding >= self.length:
            raise ValueError(f"deciding={self.deciding} must be below length={self.length}")
        return self


class ChainResult(NamedTuple):
    """One arm evaluated: its excess over Bayes (answers dropped), and its KL to the truth.

    truth: (R, T) nats, averaged over sequences; risk: (R, T), cross-entropy of the symbols.
    """

    arm_result: ArmResult
    truth: Float[np.ndarray, "R T"]
    risk: Float[np.ndarray, "R T"]


class StudyResult(NamedTuple):
    """A chain with its evaluation set, its arms, and (on mc3) the arms of one layer."""

    name: str
    eval_set: EvalSet
    arm_results: list[ChainResult]
    single: list[ChainResult]


def run(cfg: Markov, key: jax.Array, journal: Journal) -> Result:
    """Chain by chain: train every arm on the same data, evaluate all on one set."""
    roots = jax.random.split(key, len(CHAINS))
    studies = []
    for name, root in zip(CHAINS, roots, strict=True):
        if cfg.chains.get(name):
            studies.append(study(cfg, name, families.keys(root), journal.scope(name)))
            journal.progress(len(studies), sum(map(bool, cfg.chains.values())))
    return Result(summary(cfg, studies), arrays(cfg, studies), notes(cfg, studies))


def study(cfg: Markov, name: str, keys: Keys, journal: Journal) -> StudyResult:
    """All arms of one chain."""
    family = CHAINS[name](keys.library)
    comparison = compare(
        family,
        keys,
        cfg.training,
        sequences=cfg.sequences,
        length=cfg.length,
        over=REFERENCE,
        only=None,
        test_length=cfg.test_length,
    )
    single = cfg.network.model_copy(update={"layers": 1})
    return StudyResult(
        name,
        comparison.eval_set,
        _chain_results(comparison, cfg.chains[name] or [], cfg.network, cfg.test_length, journal),
        _chain_results(
            comparison,
            cfg.one_layer if name == MAIN else [],
            single,
            cfg.test_length,
            journal.scope(ONE_LAYER),
        ),
    )


def _chain_results(
    comparison: Comparison, names: Sequence[str], network: Network, length: int, journal: Journal
) -> list[ChainResult]:
    """Arms of one size on one chain, with room for the longest sequence."""
    arms = [training.bound(name, comparison.family, network, length=length) for name in names]
    return arm_results(comparison, arms, journal, then=partial(_chain_result, comparison.eval_set))


def _chain_result(eval_set: EvalSet, arm_result: ArmResult) -> ChainResult:
    """What is kept of an arm: its answers are not."""
    truth = evaluation.excess(eval_set, arm_result.answers, "genie").mean(axis=1)
    risk = evaluation.risk(eval_set, arm_result.answers).mean(axis=1)
    return ChainResult(arm_result._replace(answers=arm_result.answers[:, :0]), truth, risk)


def summary(cfg: Markov, studies: Sequence[StudyResult]) -> dict[str, Any]:
    """Numbers of every arm as "<chain>/<arm>/...", comparisons of arms, leaks."""
    found: dict[str, Any] = {}
    for one in studies:
        for prefix, group in _groups(one):
            for one_arm in group:
                found |= {f"{prefix}/{k}": v for k, v in measured(cfg, one_arm).items()}
        by_name = {own.arm_result.bound.name: own.arm_result for own in one.arm_results}
        compared = comparisons(by_name, length=cfg.length)
        found |= {f"{one.name}/{k}": v for k, v in compared.items()}
        if one.single:
            found |= {f"{ONE_LAYER}/{k}": v for k, v in single_layer(cfg, one).items()}
    everything = [own for one in studies for own in [*one.arm_results, *one.single]]
    return found | results.leak_summary(own.arm_result for own in everything)


def single_layer(cfg: Markov, one: StudyResult) -> dict[str, list[float]]:
    """How near the arms of one layer come to Bayes, after `cfg.deciding` symbols."""
    excess = {s.arm_result.bound.name: s.arm_result.excess[:, cfg.deciding] for s in one.single}
    truth = {s.arm_result.bound.name: s.truth[:, cfg.deciding] for s in one.single}
    lines = {name: float(line[cfg.deciding]) for name, line in truth_lines(one.eval_set).items()}
    return one_layer(excess, truth, lines)


def measured(cfg: Markov, one_arm: ChainResult) -> dict[str, Any]:
    """One arm's numbers, one a seed: KL to Bayes ("excess") and to the truth, risks, slope.

    "excess" alone is the mean over the positions of training; "excess_<n>" is after n symbols.
    """
    found = results.summary(one_arm.arm_result, cfg.at)
    inside = one_arm.arm_result.excess[:, : cfg.length].mean(axis=1)
    found |= {f"{one_arm.arm_result.bound.name}/excess": inside.tolist()}
    for n in cfg.at:
        found[f"{one_arm.arm_result.bound.name}/truth_{n}"] = one_arm.truth[:, n].tolist()
        found[f"{one_arm.arm_result.bound.name}/risk_{n}"] = one_arm.risk[:, n].tolist()
    return found


def _groups(one: StudyResult) -> list[tuple[str, list[ChainResult]]]:
    """Names of the network's layers under the chain's name, those of one layer under their own."""
    return [(one.name, one.arm_results), *([(ONE_LAYER, one.single)] if one.single else [])]


def truth_lines(eval_set: EvalSet) -> dict[str, Float[np.ndarray, "T"]]:
    """KL from the truth to Bayes and to every estimator, by position."""
    return {
        name: evaluation.excess(eval_set, guess, "genie").mean(axis=0)
        for name, guess in eval_set.references.items()
        if name != "genie"
    }


def arrays(cfg: Markov, studies: Sequence[StudyResult]) -> dict[str, Any]:
    """By "<chain>.<array>": those of `results.arrays`, truth (A, R, T), truth_<line> (T,)."""
    found: dict[str, Any] = {
        "length": np.array(cfg.length),
        "chains": np.array([one.name for one in studies]),
    }
    for one in studies:
        for prefix, group in _groups(one):
            own = results.arrays(
                [one_arm.arm_result for one_arm in group],
                one.eval_set,
                over=REFERENCE,
                every=cfg.training.log_every,
            )
            own["truth"] = np.stack([one_arm.truth for one_arm in group])
            own |= {f"truth_{name}": line for name, line in truth_lines(one.eval_set).items()}
            found |= results.of_part(prefix, own)
    return found


def notes(cfg: Markov, studies: Sequence[StudyResult]) -> dict[str, Any]:
    """Costs and rates by chain; arms whose rate is at an edge of the grid; a uniform guess."""
    found, chance = {}, {}
    for one in studies:
        nats = float(np.log(one.eval_set.family.outputs))
        uniform = np.full_like(one.eval_set.references["genie"], -nats)
        excess = evaluation.excess(one.eval_set, uniform, REFERENCE).mean(axis=0)
        for prefix, group in _groups(one):
            found[prefix] = results.notes([one_arm.arm_result for one_arm in group])
            for name in found[prefix]:
                chance |= {f"{prefix}/{name}/risk_{n}": nats for n in cfg.at}
                chance |= {f"{prefix}/{name}/excess_{n}": float(excess[n]) for n in cfg.at}
    rates = cfg.training.rates
    edges = [arm for part in found for arm in arms_at_an_edge(found[part], rates, part=part)]
    return {**found, "rate_at_an_edge": edges, "chance": chance}


EXPERIMENT = Experiment(
    config=Markov, run=run, claims=claims_beside(__file__), figures=figures.figures
)
