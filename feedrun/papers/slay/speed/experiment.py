"""How long and how much memory does attention take as sequences grow, and what does it buy?

Paper: SLAY (2602.04915), Fig. "scaling": one causal layer, 8 heads of 32, 128 to 131,072 tokens.
Command: feedrun experiment=slay_speed (minutes: see the yaml; on a machine that does nothing else).
What should come out: SLAY is linear in time and memory; it overtakes a softmax that stores all
scores early, one that does not some thousands of tokens later; at the state of its largest budget
exact scores near by and a shifted square beyond them are several times nearer to the exact kernel.
"""

from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from pydantic import Field, model_validator

from feedrun.experiment import (
    Config,
    Count,
    Experiment,
    Journal,
    Positive,
    Result,
    claims_beside,
    one_of,
)
from feedrun.papers.slay.speed import fidelity, figures, measures
from feedrun.papers.slay.speed import layer as layers
from feedrun.papers.slay.speed.layer import VARIANTS, Program
from feedrun.runtime import machine

Name = Annotated[str, one_of(VARIANTS, "mechanism")]

LEAST = 0.02
"""Seconds a timing lasts at least; shorter calls are repeated."""

FAR = 2048.0
"""Slopes are of lengths from here on."""

REPORTED = (4096, 16384, 131072)
"""Lengths whose times are in the summary, those of the paper's text."""

LINEAR = ("slay", "slay_2048", "hadamard", "square", "hybrid", "window_square", "favor_relu", "elu",
          "cosformer")  # fmt: skip
RIVALS = ("softmax", "softmax_blocked", "softmax_library")


class Series(Config):
    """One layer at several lengths under several mechanisms."""

    heads: Count
    dimension: Annotated[int, Field(ge=4)]
    causal: bool
    gradient: bool
    lengths: Annotated[list[Count], Field(min_length=1)]
    mechanisms: Annotated[list[Name], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascending(self):
        if sorted(set(self.lengths)) != self.lengths:
            raise ValueError(f"lengths must ascend, got {self.lengths}")
        return self


class Fidelity(Config):
    """Distances to the exact kernel, for one head."""

    dimension: Annotated[int, Field(ge=4)]
    lengths: Annotated[list[Count], Field(min_length=1)]
    mechanisms: Annotated[list[Name], Field(min_length=1)]
    repeats: Count
    checked: Annotated[list[Name], Field(min_length=1)]
    checked_length: Annotated[int, Field(ge=16)]


class Speed(Config):
    """Settings of slay_speed."""

    forward: Series
    training: Series
    bidirectional: Series
    equal_state: Series
    fidelity: Fidelity
    rounds: Annotated[int, Field(ge=3)]
    seconds: Positive
    gib: Positive
    card_gib: Positive


class Timed(NamedTuple):
    """Of one series: (rounds, mechanisms, lengths) seconds and (mechanisms, lengths) bytes."""

    seconds: np.ndarray
    temporary: np.ndarray


SERIES = ("forward", "training", "bidirectional", "equal_state")


def run(cfg: Speed, key, journal: Journal) -> Result:
    """Fidelity first, then compile everything, then rounds through all of it."""
    near_key, check_key, time_key = jax.random.split(key, 3)
    summary, arrays = nearness(cfg.fidelity, near_key)
    summary |= correctness(cfg.fidelity, check_key)
    timed, loads = measured(cfg, time_key, journal)
    for name in SERIES:
        series, (seconds, temporary) = getattr(cfg, name), timed[name]
        prefix = "" if name == "forward" else f"_{name}"
        summary |= times(series, seconds, prefix) | memory(series, temporary, prefix)
        arrays |= {f"{name}_seconds": seconds, f"{name}_temporary": temporary}
        arrays |= {f"{name}_lengths": np.array(series.lengths)}
        arrays |= {f"{name}_mechanisms": np.array(series.mechanisms)}
    summary |= reach(cfg, timed["forward"].temporary) | better(cfg, timed["equal_state"].seconds)
    notes = {"load_by_others_a_round": loads, "devices": len(jax.devices())}
    return Result(summary, arrays, notes | {"dtype": "float32", "backend": jax.default_backend()})


def nearness(cfg: Fidelity, key) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Errors of every mechanism, one a repeat, and the numbers in its state."""
    draw_key, data_key = jax.random.split(key)
    names, kinds = cfg.mechanisms, fidelity.KINDS
    stacks = fidelity.drawn(draw_key, names, cfg.dimension, len(kinds) * cfg.repeats)
    shape = len(kinds), len(cfg.lengths), cfg.repeats
    keys = iter(jax.random.split(data_key, int(np.prod(shape))))
    found = np.empty((*shape, len(names)))
    for a, b, c in np.ndindex(*shape):
        one = fidelity.errors(
            next(keys),
            stacks,
            a * cfg.repeats + c,
            kinds[a],
            length=cfg.lengths[b],
            dimension=cfg.dimension,
        )
        found[a, b, c] = [one[name] for name in names]
    summary = {
        f"error_{name}_{kinds[a]}_{cfg.lengths[b]}": found[a, b, :, i].tolist()
        for a, b, i in np.ndindex(*shape[:2], len(names))
        for name in (names[i],)
    }
    sizes = [fidelity.state_numbers(name, cfg.dimension) for name in cfg.mechanisms]
    for name, (sums, whole) in zip(cfg.mechanisms, sizes, strict=True):
        summary |= {f"sums_{name}": float(sums), f"state_{name}": float(whole)}
    arrays = {
        "errors": found.swapaxes(2, 3),
        "states": np.array(sizes),
        "fidelity_lengths": np.array(cfg.lengths),
        "fidelity_mechanisms": np.array(cfg.mechanisms),
    }
    return summary, arrays


def correctness(cfg: Fidelity, key) -> dict[str, float]:
    """Worst error of chunks against all pairs, and worst leak."""
    keys = jax.random.split(key, len(cfg.checked))
    both = [
        fidelity.checks(
            k, name, length=cfg.checked_length, chunk=cfg.checked_length // 5, dimension=16
        )
        for k, name in zip(keys, cfg.checked, strict=True)
    ]
    error, leak = np.max(np.array(both), axis=0)
    return {"chunked_error": float(error), "future_leak": float(leak)}


def measured(cfg: Speed, key, journal: Journal) -> tuple[dict[str, Timed], list[float]]:
    """All times by rounds, A, B, C, A, B, C, and the load by others in each round."""
    keys = jax.random.split(key, len(SERIES))
    plans = {n: programs(getattr(cfg, n), k, cfg) for n, k in zip(SERIES, keys, strict=True)}
    shapes = {n: np.shape(plan[1]) for n, plan in plans.items()}
    state: dict[str, Any] = {
        n: np.full((cfg.rounds, *shape), np.nan) for n, shape in shapes.items()
    }
    state["loads"] = np.full(cfg.rounds, np.nan)
    done, state = journal.restore(state) or (0, state)
    state = {name: np.array(values) for name, values in state.items()}
    for r in range(done, cfg.rounds):
        clock = machine.clock()
        for name, (found, _, guesses) in plans.items():
            for at in sorted(found, key=lambda at: at[::-1]):  # mechanisms of one length in turn
                state[name][(r, *at)] = layers.seconds(found[at], least=LEAST, guess=guesses[at])
        state["loads"][r] = (machine.other_load(clock) or 0.0) if clock else 0.0
        journal.log(r, _row(cfg, state, r))
        journal.save(r + 1, state, final=r + 1 == cfg.rounds)
        journal.progress(r + 1, cfg.rounds)
    timed = {n: Timed(state[n], plan[1]) for n, plan in plans.items()}
    return timed, state["loads"].round(3).tolist()


def programs(series: Series, key, cfg: Speed):
    """Compiled layers by (mechanism, length), their bytes, and how long a first call took.

    A mechanism ends where its next length would take more than `cfg.seconds` or `cfg.gib`.
    """
    layer_key, draw_key = jax.random.split(key)
    heads, dimension = series.heads, series.dimension
    longest = layers.draw(layer_key, length=series.lengths[-1], heads=heads, dimension=dimension)
    keys = jax.random.split(draw_key, len(series.mechanisms))
    found: dict[tuple[int, int], Program] = {}
    guesses: dict[tuple[int, int], float] = {}
    temporary = np.full((len(series.mechanisms), len(series.lengths)), np.nan)
    for i, (name, own_key) in enumerate(zip(series.mechanisms, keys, strict=True)):
        drawn = layers.drawn_heads(own_key, name, heads=heads, dimension=dimension)
        order, guess, before = VARIANTS[name].order, 0.0, 1
        for j, length in enumerate(series.lengths):
            if guess * (length / before) ** order > cfg.seconds:
                break
            layer = longest._replace(x=longest.x[:length])
            program = layers.compiled(
                name, drawn, layer, causal=series.causal, gradient=series.gradient
            )
            temporary[i, j] = program.temporary
            if program.temporary > cfg.gib * 2**30:
                break
            jax.block_until_ready(program.call())
            guess, before = layers.seconds(program, least=0.0, guess=1.0), length
            found[i, j], guesses[i, j] = program, guess
    return found, temporary, guesses


def times(series: Series, seconds: np.ndarray, suffix: str) -> dict[str, Any]:
    """Times at the reported lengths, log-log slopes and crossovers, a value a round."""
    lengths = np.array(series.lengths, float)
    summary: dict[str, Any] = {}
    at = {name: seconds[:, i] for i, name in enumerate(series.mechanisms)}
    for name, curves in at.items():
        for j in np.flatnonzero(np.isin(lengths, REPORTED) & np.isfinite(curves[0])):
            summary[f"{name}{suffix}_ms_{series.lengths[j]}"] = (1e3 * curves[:, j]).tolist()
        slopes = [measures.slope(lengths, curve, least=FAR) for curve in curves]
        summary[f"{name}{suffix}_slope"] = slopes
        for rival in RIVALS if name in LINEAR else ():
            if rival in at:
                pairs = zip(curves, at[rival], strict=True)
                crossed = [measures.crossover(lengths, *pair) for pair in pairs]
                summary[f"{name}{suffix}_crosses_{rival}"] = crossed
    return {name: values for name, values in summary.items() if None not in values}


def memory(series: Series, temporary: np.ndarray, suffix: str) -> dict[str, Any]:
    """Bytes of temporary memory that one more token takes."""
    lengths = np.array(series.lengths, float)
    found = {
        f"{name}{suffix}_bytes_a_token": measures.more_a_token(lengths, values)
        for name, values in zip(series.mechanisms, temporary, strict=True)
    }
    return {name: value for name, value in found.items() if value is not None}


def reach(cfg: Speed, temporary: np.ndarray) -> dict[str, float]:
    """How much longer than a softmax SLAY can run in a card's memory; and what memory depends on.

    `bytes_by_features`: growth a token of the largest budget over that of the smallest.
    """
    lengths, names = np.array(cfg.forward.lengths, float), cfg.forward.mechanisms
    at = dict(zip(names, temporary, strict=True))
    summary: dict[str, Any] = {}
    ends: dict[str, Any] = {n: measures.longest(lengths, at[n], cfg.card_gib * 2**30) for n in at}
    for rival in RIVALS:
        if ends.get("slay") and ends.get(rival):
            summary[f"longer_than_{rival}"] = ends["slay"] / ends[rival]
    grown = measures.more_a_token
    more: dict[str, Any] = {n: grown(lengths, at[n]) for n in ("slay", "slay_2048") if n in at}
    if len(more) == 2 and all(more.values()):
        summary["bytes_by_features"] = more["slay_2048"] / more["slay"]
    return summary


def better(cfg: Speed, seconds: np.ndarray) -> dict[str, Any]:
    """window_square against SLAY with 2048 features: time at the longest length, sums, state."""
    names = cfg.equal_state.mechanisms
    summary: dict[str, Any] = {}
    if {"window_square", "slay_2048"} <= set(names):
        ours, theirs = (seconds[:, names.index(n), -1] for n in ("window_square", "slay_2048"))
        if np.isfinite(ours / theirs).all():
            summary["better_time_ratio"] = (ours / theirs).tolist()
    sizes = [
        fidelity.state_numbers(n, cfg.fidelity.dimension) for n in ("window_square", "slay_2048")
    ]
    for name, ours, theirs in zip(("sums", "state"), *sizes, strict=True):
        summary[f"better_{name}_ratio"] = ours / theirs
    return summary


def _row(cfg: Speed, state, r: int) -> dict[str, float]:
    """What is logged of a round: milliseconds at the longest length that a mechanism reached."""
    row = {"load_by_others": float(state["loads"][r])}
    for name in SERIES:
        for mechanism, curve in zip(getattr(cfg, name).mechanisms, state[name][r], strict=True):
            if np.isfinite(curve).any():
                row[f"{name}/{mechanism}_ms"] = float(1e3 * curve[np.isfinite(curve)][-1])
    return row


EXPERIMENT = Experiment(
    config=Speed,
    run=run,
    claims=claims_beside(__file__),
    figures=figures.figures,
)
