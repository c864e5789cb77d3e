"""Timing: correctness first, then interleaved rounds; medians, half-IQRs and paired ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from feedrun.runtime import machine
from scripts.bench import ceilings
from scripts.bench.case import Case, Contestant, Gate

INNER = 0.02
"""Seconds that one timing lasts at least; shorter calls are repeated inside it."""

DISTURBED = 0.25
"""Share of the machine used by others above which a timing is not to be trusted."""


class Row(NamedTuple):
    """What was measured of one contestant; `seconds` holds one time a round, of the whole work."""

    status: str
    error: float | None = None
    compile: float | None = None
    seconds: tuple[float, ...] = ()
    cores: float | None = None
    note: str = ""
    kib_a_token: float | None = None


class Outcome(NamedTuple):
    """A case measured: its rows in order, ours first; what others used of the machine."""

    name: str
    sizes: dict[str, Any]
    rows: dict[str, Row]
    load: float | None
    ceiling: Spread | None
    gates: dict[str, str]


class Spread(NamedTuple):
    """A median over rounds with half its interquartile range."""

    median: float
    half_iqr: float


def spread(values: Any) -> Spread:
    """Median and half interquartile range."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float((high - low) / 2))


def paired_ratio(ours: tuple[float, ...], theirs: tuple[float, ...]) -> Spread:
    """theirs / ours round by round: a load that both rounds felt cancels."""
    return spread(np.asarray(theirs) / np.asarray(ours))


def run_case(case: Case, *, rounds: int, seed: int, retry: bool = True) -> Outcome:
    """Check and time every contestant; `retry` once if the machine was busy with other things."""
    with jax.enable_x64(case.x64):
        inputs = case.inputs(seed)
        calls, rows = _checked(case, inputs)
        if not calls:
            return Outcome(case.name, dict(case.sizes), rows, None, None, {})
        if case.work:
            calls["ceiling"] = ceilings.matmul(case.work.dtype), 1.0
        timed, cores, load = _timed(calls, rounds)
        if retry and load is not None and load > DISTURBED:
            timed, cores, load = _timed(calls, rounds)
    state = "disturbed" if load is not None and load > DISTURBED else "ok"
    rows = {
        name: row._replace(status=state, seconds=tuple(timed[name]), cores=cores[name])
        if name in timed
        else row
        for name, row in rows.items()
    }
    ours = rows[next(iter(case.contestants))]
    share = _ceiling_share(case, ours, timed.get("ceiling"))
    outcome = Outcome(case.name, dict(case.sizes), rows, load, share, {})
    return outcome._replace(gates=_judge(case.gates, outcome, state))


def _checked(case: Case, inputs: Any):
    """First calls: compile times and errors; only who is right goes on to be timed."""
    calls: dict[str, tuple[Callable[[], Any], float]] = {}
    rows: dict[str, Row] = {}
    for name, contestant in case.contestants.items():
        rows[name], call = _first_call(case, inputs, contestant)
        if call is not None:
            calls[name] = call, contestant.share
    return calls, rows


def _first_call(case: Case, inputs: Any, contestant: Contestant):
    """Row and call of a contestant; no call where it is absent or wrong."""
    if missing := contestant.missing():
        return Row("not installed", note=", ".join(missing)), None
    start = time.perf_counter()
    try:
        call = contestant.make(inputs)
        output = jax.block_until_ready(call())
    except Exception as error:  # a peer that breaks on this machine costs its row, not the run
        return Row(
            "failed", note=f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
        ), None
    compiled = time.perf_counter() - start
    error = case.error(inputs, output, contestant)
    if not error <= case.tol:
        return Row("BAD", error=error, note=f"error beyond {case.tol:g}"), None
    note = getattr(call, "note", contestant.note)
    memory = getattr(call, "kib_a_token", None)
    return Row("ok", error=error, compile=compiled, note=note, kib_a_token=memory), call


def _timed(calls: Mapping[str, tuple[Callable[[], Any], float]], rounds: int):
    """Seconds of each call by round (A, B, C, A, B, C, ...), cores used, load by others."""
    clock = machine.clock()
    first = {name: _time(call, 1) for name, (call, _) in calls.items()}
    repeats = {name: max(1, int(np.ceil(INNER / wall))) for name, (wall, _) in first.items()}
    turns = [first] if set(repeats.values()) == {1} else []
    while len(turns) < rounds:
        turns.append({name: _time(call, repeats[name]) for name, (call, _) in calls.items()})
    seconds = {
        name: [turn[name][0] / repeats[name] / share for turn in turns]
        for name, (_, share) in calls.items()
    }
    cores = {name: float(np.mean([t[name][1] / t[name][0] for t in turns])) for name in calls}
    return seconds, cores, machine.other_load(clock) if clock else None


def _time(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Wall and processor seconds of `repeats` calls."""
    used, wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        jax.block_until_ready(call())
    return time.perf_counter() - wall, time.process_time() - used


def _ceiling_share(case: Case, ours: Row, ceiling: list[float] | None) -> Spread | None:
    """Our rate over that of a large matrix product timed in the same rounds."""
    if not (case.work and ceiling and ours.seconds):
        return None
    rates = case.work.flops / np.asarray(ours.seconds)
    return spread(rates / (ceilings.MATMUL_FLOPS / np.asarray(ceiling)))


def _judge(gates: tuple[Gate, ...], outcome: Outcome, state: str) -> dict[str, str]:
    """Each gate as text: met, missed, or not judged (absent, wrong or disturbed)."""
    return {_words(gate): _verdict(gate, measured(gate.quantity, outcome), state) for gate in gates}


def measured(quantity: str, outcome: Outcome) -> float | None:
    """The number a gate speaks of, None where it was not measured."""
    first = next(iter(outcome.rows.values()))
    ours = first.seconds
    if not ours:
        return None
    if quantity == "KiB a token":
        return first.kib_a_token
    if quantity == "seconds":
        return spread(ours).median
    if quantity == "ceiling":
        return outcome.ceiling.median if outcome.ceiling else None
    theirs = outcome.rows[quantity].seconds if quantity in outcome.rows else ()
    return paired_ratio(ours, theirs).median if theirs else None


def _words(gate: Gate) -> str:
    bounds = [(">=", gate.at_least), ("<=", gate.at_most)]
    return " ".join([gate.quantity, *(f"{sign} {b:g}" for sign, b in bounds if b is not None)])


def _verdict(gate: Gate, value: float | None, state: str) -> str:
    if value is None:
        return "not measured"
    low = -np.inf if gate.at_least is None else gate.at_least
    high = np.inf if gate.at_most is None else gate.at_most
    if low <= value <= high:
        return "met"
    return "disturbed" if state == "disturbed" else "missed"
