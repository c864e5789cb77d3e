"""What icl_probe reports: R^2 and its share of the ceiling, paired differences, gains, leaks."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from feedrun.experiment.metrics import arms_at_an_edge
from feedrun.papers.ssm_icl.arms import results
from feedrun.papers.ssm_icl.probe import gain
from feedrun.papers.ssm_icl.probe.probes import Score

MAIN = {"lg4": "signal", "lg1": "signal", "switching": "belief"}
"""The target by which arms are compared."""
PAIRS = (
    ("ssd+conv", "linear+conv+rope"),
    ("ssd", "linear+rope"),
    ("ssd+conv", "softmax+conv+rope"),
)
"""Differences reported: both arms with a short convolution, both without, and softmax."""
CONVOLUTION = 4
"""Observations that a short convolution sees."""


class Part(NamedTuple):
    """One family. scores: of arms, "untrained <arm>", "last", "bayes" and "genie" by name."""

    name: str
    arms: tuple[str, ...]
    scores: Mapping[str, Score]
    arm_results: Sequence[results.ArmResult]


def shares(part: Part, reader: str, target: str) -> np.ndarray:
    """R^2 over the R^2 of the posterior mean: a number a network."""
    return part.scores[reader].average[target] / part.scores["bayes"].average[target]


def has_ceiling(part: Part, target: str) -> bool:
    """Raw states of LG4 have none: nothing can be known of them."""
    return target in part.scores["bayes"].average


def summary(parts: Sequence[Part], influences: Mapping[str, np.ndarray], cfg: Any) -> dict:
    """All metrics; names are "<family>/<arm>/<target>" and so on."""
    found: dict[str, Any] = {}
    for part in parts:
        own = _scores(part) | _differences(part) | _results(part, cfg)
        found |= {f"{part.name}/{name}": value for name, value in own.items()}
    found |= _trap(parts[0]) | _gains(influences, cfg)
    return found | results.leak_summary([one for part in parts for one in part.arm_results])


def _scores(part: Part) -> dict[str, Any]:
    """R^2 as it is, and as "<target>_of_ceiling"."""
    found: dict[str, Any] = {}
    for reader, score in part.scores.items():
        one = reader in ("bayes", "genie", "last")
        for target, value in score.average.items():
            own = {target: value}
            if has_ceiling(part, target) and reader != "bayes":
                own[f"{target}_of_ceiling"] = shares(part, reader, target)
            for name, numbers in own.items():
                name = f"{reader}/{name}"
                if reader.startswith("untrained "):
                    name = f"{reader.removeprefix('untrained ')}/untrained_{name.split('/')[1]}"
                found[name] = float(numbers[0]) if one else numbers.tolist()
    return found


def _differences(part: Part) -> dict[str, list[float]]:
    """Of shares of the ceiling, paired over seeds: between arms, and to the controls."""
    target, found = MAIN[part.name], {}
    for one, two in PAIRS:
        if one in part.arms and two in part.arms:
            gap = shares(part, one, target) - shares(part, two, target)
            found[f"gap/{one}_minus_{two}"] = gap.tolist()
    for arm in part.arms:
        own = shares(part, arm, target)
        for name, control in (("untrained", f"untrained {arm}"), ("last", "last")):
            found[f"gap/{arm}_minus_{name}"] = (own - shares(part, control, target)).tolist()
    return found


def _results(part: Part, cfg: Any) -> dict[str, Any]:
    """Excess over the genie, and slopes."""
    section = getattr(cfg, part.name)
    at = (cfg.probing.after, section.length - 1)
    found: dict[str, Any] = {}
    for one in part.arm_results:
        found |= results.summary(one, at)
    return found


def _trap(part: Part) -> dict[str, float]:
    """The R^2 of the raw state that is furthest from 0, over arms, seeds and controls."""
    readers = [score for name, score in part.scores.items() if name not in ("bayes", "genie")]
    everything = np.concatenate([score.average["state"] for score in readers])
    return {"trap": float(everything[np.abs(everything).argmax()])}


def _gains(influences: Mapping[str, np.ndarray], cfg: Any) -> dict[str, Any]:
    """ "gain/<arm>/...", and the most that windows of observations can have."""
    references = {name: influences[name] for name in ("genie", "bayes")}
    after, found = cfg.probing.after, {}
    for arm in [name for name in influences if name not in references]:
        metrics = gain.compare(influences[arm], references, after)
        found |= {f"gain/{arm}/{name}": value.tolist() for name, value in metrics.items()}
        beyond = metrics["cosine_genie"] - gain.window_cosine(cfg.gain, CONVOLUTION)
        found[f"gain/{arm}/beyond_convolution"] = beyond.tolist()
        above = metrics["cosine_genie"] - gain.window_cosine(cfg.gain, 1)
        found[f"gain/{arm}/beyond_last_value"] = above.tolist()
    bayes = gain.compare(references["bayes"][None], references, after)
    found |= {
        f"gain/bayes/{name}_genie": float(bayes[f"{name}_genie"][0])
        for name in ("cosine", "distance", "gain_error")
    }
    return found


def arrays(parts: Sequence[Part], influences: Mapping[str, np.ndarray], cfg: Any) -> dict:
    """For the figures.

    <family>/arms; <family>/<reader>/<target> (R,) and .../by_position (R, T - 1);
    gain/<name> (R, T - 1) and influence/<name> (R, T): of the last prediction on each observation,
    means over sequences.
    """
    found: dict[str, Any] = {
        "after": np.array(cfg.probing.after),
        "lags": np.array(cfg.probing.lags),
    }
    for part in parts:
        found[f"{part.name}/arms"] = np.array(part.arms)
        for reader, score in part.scores.items():
            for target, value in score.average.items():
                found[f"{part.name}/{reader}/{target}"] = np.asarray(value)
                by = score.by_position[target]
                found[f"{part.name}/{reader}/{target}/by_position"] = np.asarray(by)
    for name, influence in influences.items():
        mean = (influence if influence.ndim == 4 else influence[None]).mean(axis=1)
        found[f"gain/{name}"] = gain.gains(mean)
        found[f"influence/{name}"] = mean[:, -1]
    found["gain/system"] = np.array([cfg.gain.a, cfg.gain.r])
    return found


def notes(parts: Sequence[Part], cfg: Any) -> dict[str, Any]:
    """By family what arms cost and which rates they got; a constant explains nothing.

    rate_at_an_edge: arms that got the least or the greatest of their rates.
    """
    chance = {
        f"{part.name}/{arm}/{target}{ending}": 0.0
        for part in parts
        for arm in part.arms
        for target in part.scores[arm].average
        for ending in ("", "_of_ceiling")
        if not ending or has_ceiling(part, target)
    }
    own = {part.name: results.notes(part.arm_results) for part in parts}
    edges = [
        arm
        for name, noted in own.items()
        for arm in arms_at_an_edge(noted, getattr(cfg, name).training.rates, part=name)
    ]
    return own | {"rate_at_an_edge": edges, "chance": chance}
