"""What a benchmark case is: inputs, contestants, a check, the work done, the gates to hold."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple


class Work(NamedTuple):
    """Floating-point operations of one whole problem, and the dtype whose ceiling they meet."""

    flops: float
    dtype: Literal["float32", "float64"]


class Contestant(NamedTuple):
    """One way to do a case's work.

    make(inputs) -> the call to time, returning its output. `needs`: modules that may be absent.
    One call does `share` of the problem; its time is divided by that, and `note` says so. What is
    known only of the call itself, such as its memory, it carries as attributes `note` and
    `kib_a_token`.
    """

    make: Callable[[Any], Callable[[], Any]]
    needs: tuple[str, ...] = ()
    share: float = 1.0
    note: str = ""

    def missing(self) -> list[str]:
        """Modules it needs that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


class Gate(NamedTuple):
    """A bound that must hold: on a contestant's ratio to ours, or on what is measured of ours.

    That is "seconds", "ceiling" (share of it) or "KiB a token" (of temporary memory).
    """

    quantity: str
    at_least: float | None = None
    at_most: float | None = None


class Case(NamedTuple):
    """A benchmark: the first contestant is ours, the others are set in ratio to it.

    error(inputs, output, contestant) is the relative error against an independent float64
    reference; beyond `tol` the contestant is BAD and gets no time. x64 turns float64 on.
    """

    name: str
    sizes: Mapping[str, Any]
    inputs: Callable[[int], Any]
    contestants: Mapping[str, Contestant]
    error: Callable[[Any, Any, Contestant], float]
    tol: float
    work: Work | None = None
    gates: tuple[Gate, ...] = ()
    x64: bool = False


def reduced(case: Case, *, quick: bool, peers: bool) -> Case:
    """The case with ours and, if quick, only what a gate names; without `peers`, nothing extra."""
    ours, *_ = case.contestants
    gated = {ours, *(gate.quantity for gate in case.gates)}
    kept = {
        name: contestant
        for name, contestant in case.contestants.items()
        if (name in gated or not quick) and (peers or not contestant.needs)
    }
    return case._replace(contestants=kept)
