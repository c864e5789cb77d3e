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
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation, results, training
from feedrun.papers.ssm_icl.arms.evaluation import Exam
from feedrun.papers.ssm_icl.arms.names import Names
from feedrun.papers.ssm_icl.arms.results import Standing
from feedrun.papers.ssm_icl.arms.training import Network, Training
from feedrun.papers.ssm_icl.families import Family, Keys, catalogue
from feedrun.papers.ssm_icl.markov import figures
from feedrun.papers.ssm_icl.markov.measures import comparisons, one_layer
from feedrun.train.threads import in_threads

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


class Sat(NamedTuple):
    """One arm after the exam: its standing over Bayes (answers dropped), and its KL to the truth.

    truth: (R, T) nats, averaged over sequences; risk: (R, T), cross-entropy of the symbols.
    """

    standing: Standing
    truth: Float[np.ndarray, "R T"]
    risk: Float[np.ndarray, "R T"]


class Studied(NamedTuple):
    """A chain with its exam, its arms, and (on mc3) the arms of one layer."""

    name: str
    exam: Exam
    everyone: list[Sat]
    single: list[Sat]


def run(cfg: Markov, key: jax.Array, journal: Journal) -> Result:
    """Chain by chain: train every arm on the same data, let all sit one exam."""
    roots = jax.random.split(key, len(CHAINS))
    studies = []
    for name, root in zip(CHAINS, roots, strict=True):
        if cfg.chains.get(name):
            studies.append(study(cfg, name, families.keys(root), journal.scope(name)))
            journal.progress(len(studies), sum(map(bool, cfg.chains.values())))
    return Result(summary(cfg, studies), arrays(cfg, studies), notes(cfg, studies))


def study(cfg: Markov, name: str, keys: Keys, journal: Journal) -> Studied:
    """All arms of one chain."""
    family = CHAINS[name](keys.library)
    valid = evaluation.draw(family, keys.tune, count=cfg.training.valid, length=cfg.length, only=())
    exam = evaluation.draw(family, keys.test, count=cfg.sequences, length=cfg.test_length)
    sit = partial(_sit, cfg, family, keys, valid, exam)
    everyone = in_threads(partial(sit, cfg.network), cfg.chains[name] or [], journal)
    network = cfg.network.model_copy(update={"layers": 1})
    single = cfg.one_layer if name == MAIN else []
    return Studied(
        name, exam, everyone, in_threads(partial(sit, network), single, journal.scope(ONE_LAYER))
    )


def _sit(
    cfg: Markov,
    family: Family,
    keys: Keys,
    valid: Exam,
    exam: Exam,
    network: Network,
    name: str,
    journal: Journal,
) -> Sat:
    """Train one arm and let it sit the exam."""
    learner = training.learner(name, family, network, length=cfg.test_length)
    trained = training.fitted(
        learner, keys, cfg.training, valid, journal, length=cfg.length, over=REFERENCE
    )
    standing = results.stand(learner, trained, exam, over=REFERENCE, slab=cfg.training.batch)
    truth = evaluation.excess(exam, standing.answers, "genie").mean(axis=1)
    risk = evaluation.risk(exam, standing.answers).mean(axis=1)
    return Sat(standing._replace(answers=standing.answers[:, :0]), truth, risk)


def summary(cfg: Markov, studies: Sequence[Studied]) -> dict[str, Any]:
    """Numbers of every arm as "<chain>/<arm>/...", comparisons of arms, leaks."""
    found: dict[str, Any] = {}
    for one in studies:
        for prefix, group in _groups(one):
            for sat in group:
                found |= {f"{prefix}/{k}": v for k, v in measured(cfg, sat).items()}
        standing = {sat.standing.learner.name: sat.standing for sat in one.everyone}
        compared = comparisons(standing, length=cfg.length)
        found |= {f"{one.name}/{k}": v for k, v in compared.items()}
        if one.single:
            found |= {f"{ONE_LAYER}/{k}": v for k, v in single_layer(cfg, one).items()}
    everyone = [sat.standing for one in studies for sat in [*one.everyone, *one.single]]
    return found | results.leak_summary(everyone)


def single_layer(cfg: Markov, one: Studied) -> dict[str, list[float]]:
    """How near the arms of one layer come to Bayes, after `cfg.deciding` symbols."""
    excess = {s.standing.learner.name: s.standing.excess[:, cfg.deciding] for s in one.single}
    truth = {s.standing.learner.name: s.truth[:, cfg.deciding] for s in one.single}
    lines = {name: float(line[cfg.deciding]) for name, line in truth_lines(one.exam).items()}
    return one_layer(excess, truth, lines)


def measured(cfg: Markov, sat: Sat) -> dict[str, Any]:
    """One arm's numbers, one a seed: KL to Bayes ("excess") and to the truth, risks, slope.

    "excess" alone is the mean over the positions of training; "excess_<n>" is after n symbols.
    """
    found = results.summary(sat.standing, cfg.at)
    inside = sat.standing.excess[:, : cfg.length].mean(axis=1)
    found |= {f"{sat.standing.learner.name}/excess": inside.tolist()}
    for n in cfg.at:
        found[f"{sat.standing.learner.name}/truth_{n}"] = sat.truth[:, n].tolist()
        found[f"{sat.standing.learner.name}/risk_{n}"] = sat.risk[:, n].tolist()
    return found


def _groups(one: Studied) -> list[tuple[str, list[Sat]]]:
    """Names of the network's layers under the chain's name, those of one layer under their own."""
    return [(one.name, one.everyone), *([(ONE_LAYER, one.single)] if one.single else [])]


def truth_lines(exam: Exam) -> dict[str, Float[np.ndarray, "T"]]:
    """KL from the truth to Bayes and to every estimator, by position."""
    return {
        name: evaluation.excess(exam, guess, "genie").mean(axis=0)
        for name, guess in exam.references.items()
        if name != "genie"
    }


def arrays(cfg: Markov, studies: Sequence[Studied]) -> dict[str, Any]:
    """By "<chain>.<array>": those of `standings.arrays`, truth (A, R, T), truth_<line> (T,)."""
    found: dict[str, Any] = {
        "length": np.array(cfg.length),
        "chains": np.array([one.name for one in studies]),
    }
    for one in studies:
        for prefix, group in _groups(one):
            own = results.arrays(
                [sat.standing for sat in group],
                one.exam,
                over=REFERENCE,
                every=cfg.training.log_every,
            )
            own["truth"] = np.stack([sat.truth for sat in group])
            own |= {f"truth_{name}": line for name, line in truth_lines(one.exam).items()}
            found |= results.of_part(prefix, own)
    return found


def notes(cfg: Markov, studies: Sequence[Studied]) -> dict[str, Any]:
    """Costs and rates by chain; arms whose rate is at an edge of the grid; a uniform guess."""
    found, chance = {}, {}
    for one in studies:
        nats = float(np.log(one.exam.family.outputs))
        uniform = np.full_like(one.exam.references["genie"], -nats)
        excess = evaluation.excess(one.exam, uniform, REFERENCE).mean(axis=0)
        for prefix, group in _groups(one):
            found[prefix] = results.notes([sat.standing for sat in group])
            for name in found[prefix]:
                chance |= {f"{prefix}/{name}/risk_{n}": nats for n in cfg.at}
                chance |= {f"{prefix}/{name}/excess_{n}": float(excess[n]) for n in cfg.at}
    edges = results.parts_at_an_edge(found, cfg.training.rates)
    return {**found, "rate_at_an_edge": edges, "chance": chance}


EXPERIMENT = Experiment(
    config=Markov, run=run, claims=claims_beside(__file__), figures=figures.figures
)
