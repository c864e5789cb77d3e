"""The statistics and the honesty of the benchmark harness, on cases that cost nothing."""

import json
import time

import numpy as np
import pytest

from scripts.bench import table
from scripts.bench.case import Case, Contestant, Gate, Work, reduced
from scripts.bench.measure import measured, paired_ratio, run_case, spread


def sleeper(seconds, output=1.0):
    return Contestant(lambda inputs: lambda: time.sleep(seconds) or output)


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
    # Sleeping is accurate to a millisecond or so, unless the machine is overrun.
    assert measured("peer", outcome) == pytest.approx(2.0, rel=0.3)
    assert measured("half", outcome) == pytest.approx(2.0, rel=0.3)
    assert all(len(row.seconds) == 3 and row.error == 0 for row in outcome.rows.values())


def test_a_short_call_is_repeated_inside_a_timing():
    calls = []
    quick = Contestant(lambda inputs: lambda: calls.append(time.sleep(0.001)) or 1.0)
    outcome = run_case(case(ours=quick), rounds=2, seed=0)
    assert len(calls) > 20
    assert 0.001 <= min(outcome.rows["ours"].seconds) < 0.02


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
    assert outcome.gates["seconds <= 0.001"] in ("missed", "disturbed")


def test_the_share_of_the_ceiling_is_taken_in_the_same_rounds():
    outcome = run_case(case(work=Work(1e6, "float32"), ours=sleeper(0.05)), rounds=1, seed=0)
    assert outcome.ceiling and 0 < outcome.ceiling.median < 0.1


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
