"""The statistics and the honesty of the benchmark harness, on cases that cost nothing."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from scripts.bench import measure, table
from scripts.bench.case import Case, Contestant, Gate, Work, reduced
from scripts.bench.measure import measured, paired_ratio, run_case, spread

NOW = [0.0]
"""Seconds on the clock of the harness: only a call that pretends to work moves it."""


@pytest.fixture(autouse=True)
def a_clock_that_only_work_moves(monkeypatch):
    clock = SimpleNamespace(perf_counter=lambda: NOW[0], process_time=lambda: NOW[0])
    monkeypatch.setattr(measure, "time", clock)
    monkeypatch.setattr(measure.machine, "clock", lambda: None)


def work_for(seconds):
    NOW[0] += seconds


def sleeper(seconds, output=1.0):
    return Contestant(lambda inputs: lambda: work_for(seconds) or output)


def case(gates=(), work=None, **contestants):
    def error(inputs, output, contestant):
        return abs(output - 1.0)

    return Case("toy", {"n": 1}, lambda seed: None, contestants, error, 1e-6, work, gates)


def test_spread_is_median_and_half_the_quartiles_distance():
    assert spread([1.0, 2.0, 3.0, 4.0, 100.0]) == (3.0, 1.0)


def test_paired_ratio_cancels_a_load_that_both_felt():
    load = np.array([1.0, 5.0, 1.3, 2.0, 9.0])
    assert paired_ratio(tuple(load), tuple(3 * load)) == pytest.approx((3.0, 0.0))


def test_a_slower_peer_gets_its_ratio_and_an_extrapolated_one_its_share():
    half = sleeper(0.03)._replace(share=0.5, note="extrapolated from half")
    outcome = run_case(case(ours=sleeper(0.03), peer=sleeper(0.06), half=half), rounds=3, seed=0)
    assert measured("peer", outcome) == pytest.approx(2.0)
    assert measured("half", outcome) == pytest.approx(2.0)
    assert all(len(row.seconds) == 3 and row.error == 0 for row in outcome.rows.values())


def test_a_short_call_is_repeated_inside_a_timing():
    calls = []
    quick = Contestant(lambda inputs: lambda: calls.append(work_for(0.0015)) or 1.0)
    outcome = run_case(case(ours=quick), rounds=2, seed=0)
    assert len(calls) == 2 + 2 * 14  # the first call, one to see how long, two rounds of 0.02 s
    assert outcome.rows["ours"].seconds == pytest.approx((0.0015, 0.0015))


def test_a_wrong_result_is_bad_and_has_no_time():
    gates = (Gate("peer", at_least=1),)
    toy = case(gates, ours=sleeper(0.03), peer=sleeper(0.03, 1.1), nan=sleeper(0.03, np.nan))
    outcome = run_case(toy, rounds=2, seed=0)
    for name in ("peer", "nan"):
        assert outcome.rows[name].status == "BAD" and not outcome.rows[name].seconds
    assert outcome.gates == {"peer >= 1": "not measured"}
    text = "\n".join(table.lines(outcome))
    assert "BAD" in text and "error beyond 1e-06" in text


def test_absent_and_broken_peers_cost_their_row_only():
    absent = sleeper(0.03)._replace(needs=("no_such_library",))
    broken = Contestant(lambda inputs: lambda: 1 / 0)
    outcome = run_case(case(ours=sleeper(0.03), absent=absent, broken=broken), rounds=2, seed=0)
    assert [row.status for row in outcome.rows.values()][1:] == ["not installed", "failed"]
    assert outcome.rows["absent"].note == "no_such_library"
    assert "ZeroDivisionError" in outcome.rows["broken"].note
    assert outcome.rows["ours"].seconds


def test_gates_are_met_or_missed():
    gates = (Gate("peer", at_least=1.5), Gate("seconds", at_most=0.001))
    outcome = run_case(case(gates, ours=sleeper(0.03), peer=sleeper(0.09)), rounds=2, seed=0)
    assert outcome.gates["peer >= 1.5"] == "met"
    assert outcome.gates["seconds <= 0.001"] == "missed"


def test_a_busy_machine_is_measured_twice_and_misses_no_gate(monkeypatch):
    calls = []
    slow = Contestant(lambda inputs: lambda: calls.append(work_for(0.03)) or 1.0)
    monkeypatch.setattr(measure.machine, "clock", lambda: "some time")
    monkeypatch.setattr(measure.machine, "other_load", lambda since: 0.5)
    outcome = run_case(case((Gate("seconds", at_most=0.001),), ours=slow), rounds=2, seed=0)
    assert outcome.gates == {"seconds <= 0.001": "disturbed"}
    assert len(calls) == 1 + 2 * 2


def test_the_share_of_the_ceiling_is_taken_in_the_same_rounds(monkeypatch):
    whole = measure.ceilings.MATMUL_FLOPS
    monkeypatch.setattr(measure.ceilings, "matmul", lambda dtype: lambda: work_for(0.1))
    toy = case(work=Work(whole / 4, "float32"), ours=sleeper(0.05))
    outcome = run_case(toy, rounds=1, seed=0)
    assert outcome.ceiling and outcome.ceiling.median == pytest.approx(0.5)


def test_quick_keeps_what_gates_name_and_no_peers_keeps_what_needs_nothing():
    peer = sleeper(0)._replace(needs=("torch",))
    full = case((Gate("gated", at_least=1),), ours=sleeper(0), gated=peer, other=sleeper(0))
    assert [*reduced(full, quick=True, peers=True).contestants] == ["ours", "gated"]
    assert [*reduced(full, quick=False, peers=False).contestants] == ["ours", "other"]


def test_reports_are_json_and_compare():
    outcome = run_case(case(ours=sleeper(0.03)), rounds=2, seed=0)
    before = {"cases": [json.loads(json.dumps(table.plain(outcome)))]}
    after = json.loads(json.dumps(before))
    after["cases"][0]["rows"]["ours"]["seconds"] = [s / 2 for s in outcome.rows["ours"].seconds]
    after["cases"][0]["rows"]["new"] = outcome.rows["ours"]._asdict()
    text = "\n".join(table.compare(before, after))
    assert "2.00 +-" in text and "absent" in text
