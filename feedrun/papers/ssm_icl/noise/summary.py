"""What icl_noise reports of its studies: risks, differences between arms, distances from ridge."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import ttest_1samp

from feedrun.experiment.metrics import arms_at_an_edge
from feedrun.models import arms
from feedrun.papers.ssm_icl.arms import results
from feedrun.papers.ssm_icl.arms.evaluation import risk
from feedrun.papers.ssm_icl.arms.results import ArmResult
from feedrun.papers.ssm_icl.arms.training import REFERENCE
from feedrun.papers.ssm_icl.families import scores
from feedrun.papers.ssm_icl.families.regression import NOISE
from feedrun.papers.ssm_icl.noise import studies, theory_layer
from feedrun.papers.ssm_icl.noise.studies import StudyResult

CONTEXT, LATE = 40, 128
"""Pairs after which arms are compared, and after which a longer context must not have hurt."""

SHOWN = (10, 20, CONTEXT, 80, LATE)


def summary(
    done: Sequence[StudyResult], layer: tuple[ArmResult, np.ndarray], *, rhos: Sequence[float]
) -> dict[str, Any]:
    """Every metric; `layer` is the theory's, with its risks (R,)."""
    named = {one.study.name: one for one in done}
    found: dict[str, Any] = {}
    for one in done:
        found |= marks(one) | gaps(one)
    for name in ("placebo", "control"):
        if name in named:
            found |= distances(named[name])
    found |= separations(named) | formats(named) | significance(named)
    if "mixed" in named:
        found |= at_correlation(named["mixed"], rhos)
    arm_result, risks = layer
    found["theory/risk_40"] = risks.tolist()
    found["theory/over_best"] = (risks / theory_layer.best_risk(CONTEXT)).tolist()
    arm_results = [arm_result, *(arm for one in done for arm in one.arm_results)]
    return found | results.leak_summary(arm_results)


def marks(one: StudyResult) -> dict[str, list[float]]:
    """Of every arm: "<study>/<arm>/risk_<n>", /excess_<n>, /excess, /slope, /rise."""
    found = {}
    for arm in one.arm_results:
        risks, at = studies.risks(one, arm), [n for n in SHOWN if n < one.study.length]
        own = results.summary(arm, at)
        own |= {f"{arm.bound.name}/risk_{n}": risks[:, n].tolist() for n in at}
        if LATE in at:
            rise = risks[:, LATE] - risks[:, CONTEXT]
            own[f"{arm.bound.name}/rise"] = rise.tolist()
        found |= {f"{one.study.name}/{name}": value for name, value in own.items()}
    return found


def gaps(one: StudyResult) -> dict[str, list[float]]:
    """ "<study>/gap/<arm>_minus_ssd+conv": differences of risk at CONTEXT, paired over seeds."""
    return {
        f"{one.study.name}/gap/{name}_minus_{REFERENCE}": gap.tolist()
        for name, gap in behind(one).items()
    }


def behind(one: StudyResult) -> dict[str, Float[np.ndarray, "R"]]:
    """By arm: how much more it risks than the selective SSM at CONTEXT; empty without that."""
    risks = {a.bound.name: studies.risks(one, a)[:, CONTEXT] for a in one.arm_results}
    if REFERENCE not in risks:
        return {}
    own = risks.pop(REFERENCE)
    return {name: other - own for name, other in risks.items()}


def separations(named: dict[str, StudyResult]) -> dict[str, list[float]]:
    """ "separation/<arm>": a Transformer's gap with correlated noise, less that without."""
    if not {"coloured", "placebo"} <= set(named):
        return {}
    with_noise, without = behind(named["coloured"]), behind(named["placebo"])
    return {
        f"separation/{name}": (with_noise[name] - without[name]).tolist()
        for name in with_noise.keys() & without.keys()
        if arms.parse(name)[0] in arms.ATTENTIONS
    }


def formats(named: dict[str, StudyResult]) -> dict[str, list[float]]:
    """ "format/<arm>": its gap where lags have to be paired, less that where they are given."""
    if not {"coloured", "shifted"} <= set(named):
        return {}
    shifted, lag = behind(named["shifted"]), behind(named["coloured"])
    return {
        f"format/{name}": (shifted[name] - lag[name]).tolist()
        for name in shifted.keys() & lag.keys()
    }


def distances(one: StudyResult) -> dict[str, float]:
    """How far the arms lie above ridge, which is Bayes here, in standard errors: the least z.

    "<study>/ridge_z" averaged over positions, "<study>/ridge_position_z" at the least position.
    """
    bayes = risk(one.eval_set, one.eval_set.references["bayes"])
    found = [
        scores.floor(own, bayes) for a in one.arm_results for own in risk(one.eval_set, a.answers)
    ]
    return {
        f"{one.study.name}/ridge_z": min(floor.average for floor in found),
        f"{one.study.name}/ridge_position_z": min(floor.lowest for floor in found),
    }


def significance(named: dict[str, StudyResult]) -> dict[str, float]:
    """ "control/p": of the hypothesis that SSM and Transformer do equally well on ARc, t test.

    Of the excess averaged over positions, paired over seeds; the least p over Transformers.
    """
    arm_results = named["control"].arm_results if "control" in named else []
    means = {arm.bound.name: arm.excess.mean(axis=1) for arm in arm_results}
    if REFERENCE not in means:
        return {}
    own = means.pop(REFERENCE)
    found = [
        float(np.asarray(ttest_1samp(other - own, 0.0))[1])
        for name, other in means.items()
        if arms.parse(name)[0] in arms.ATTENTIONS
    ]
    return {"control/p": min(found)} if found else {}


def at_correlation(mixed: StudyResult, rhos: Sequence[float]) -> dict[str, list[float]]:
    """ "mixed/<arm>/risk_40_at_<rho>": where rho was not told and has to be inferred."""
    found = studies.by_rho(mixed, rhos, n=CONTEXT)
    return {
        f"mixed/{arm.bound.name}/risk_{CONTEXT}_at_{rho:g}": risks[:, g].tolist()
        for arm, risks in zip(mixed.arm_results, found.arms, strict=True)
        for g, rho in enumerate(rhos)
    }


def arrays(done: Iterable[StudyResult], *, rhos: Sequence[float], every: int) -> dict[str, Any]:
    """For the figures: "<study>/<name>" of `results.arrays`, with bayes (T,) and proper (T,).

    Of `mixed` also by_arms (A, R, G), by_bayes, by_unknown and by_proper (G,) at CONTEXT.
    """
    found: dict[str, Any] = {}
    for one in done:
        own = results.arrays(one.arm_results, one.eval_set, over="bayes", every=every)
        own |= {"bayes": one.floors.bayes.mean(axis=0), "proper": one.floors.proper.mean(axis=0)}
        if one.study.name == "mixed":
            split = studies.by_rho(one, rhos, n=CONTEXT)
            own |= {f"by_{name}": value for name, value in split._asdict().items()}
        found |= {f"{one.study.name}/{name}": value for name, value in own.items()}
    return found


def notes(
    done: Iterable[StudyResult], rates: Sequence[float], metrics: Iterable[str]
) -> dict[str, Any]:
    """What the arms cost and which rates they got; those at an edge of the grid are listed.

    Chance is the mean of the prior: its risk on every regression is E|w|^2 + NOISE.
    """
    arms_of = {one.study.name: results.notes(one.arm_results) for one in done}
    edges = [arm for part in arms_of for arm in arms_at_an_edge(arms_of[part], rates, part=part)]
    regressions = [m for m in metrics if "/risk_" in m and not m.startswith("control")]
    chance = dict.fromkeys(regressions, 1 + NOISE)
    return {"arms": arms_of, "rate_at_an_edge": edges, "chance": chance}
