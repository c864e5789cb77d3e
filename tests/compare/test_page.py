"""The compare page: taken apart again and set against the records it was made from."""

import base64
import gzip
import json
import re
import time
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from feedrun.analysis import groups
from feedrun.compare import data, page, thinning
from feedrun.maths import stats
from feedrun.records import find, store, sweeps
from tests import made

EVIL = "</script><img src=x onerror=alert(1)>{{script}}"


def built(*paths, place=None, live=None):
    """(page, its data, faults) of the records under some paths."""
    found = find.gather([Path(path) for path in paths])
    text, faults = page.build(found, Path(place or paths[0]), read=thinning.read, live=live)
    return text, json.loads(gzip.decompress(block(text, "data"))), faults


def block(text, name):
    (content,) = re.findall(rf'<script type="text/plain" id="block-{name}">([^<]*)</script>', text)
    return base64.b64decode(content)


def log(folder, rows=10, **metrics):
    """Rows of a metrics.jsonl: each metric is a function of the step."""
    lines = [
        {"step": step, "time": step / 2, **{name: f(step) for name, f in metrics.items()}}
        for step in range(rows)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_groups_runs_and_estimates_are_those_of_the_records(tmp_path):
    made.grid(tmp_path, seeds=range(4))
    _, data, faults = built(tmp_path)
    (one,) = data["experiments"]
    assert faults == [] and one["keys"] == ["size"] and one["metrics"] == ["error", "order"]
    assert [group["label"] for group in one["groups"]] == ["size=16", "size=32"]
    assert [(run["group"], run["seed"]) for run in one["runs"]] == [
        (group, seed) for group in (0, 1) for seed in range(4)
    ]
    errors = np.array([4 / 16 + 0.01 * seed for seed in range(4)])
    value, low, high, n, over = one["groups"][0]["cells"][0]
    assert (value, n, over) == (pytest.approx(errors.mean(), rel=1e-5), 4, "runs")
    assert (low, high) == pytest.approx(stats.mean_interval(errors), rel=1e-5)
    assert [run["summary"][0] for run in one["runs"][:4]] == pytest.approx(errors)


def test_claims_are_judged_over_runs_and_each_verdict_is_counted(tmp_path):
    made.grid(tmp_path, sizes=(4, 8, 16))  # from 1, 0.5 and 0.25 up; the claim says <= 0.5
    _, data, _ = built(tmp_path)
    (one,) = data["experiments"]
    found = [group["verdicts"][0] for group in one["groups"]]
    assert [verdict["over"][0] for verdict in found] == ["fails", "undecided", "holds"]
    assert all(verdict["runs"] == {"holds": 3} for verdict in found)  # as claims.json has it
    assert one["claims"][0] == {
        "name": "small", "statement": "the error stays small", "source": "Thm 1",
        "origin": "paper", "metric": "error", "expected": "<= 0.5",
    }  # fmt: skip


def test_every_state_is_shown_as_such(tmp_path):
    folder = made.grid(tmp_path, seeds=range(3))
    made.record(tmp_path, id="broken", config={"size": 1}, state="failed", minute=90)
    made.record(tmp_path, id="halted", config={"size": 2}, state="unfinished", minute=91)
    going = made.record(tmp_path, id="going", config={"size": 3}, state="unfinished", minute=92)
    told = {"scope": "train", "done": 3, "total": 9, "rate": 2.0, "left": 3.0}
    store.write_json(going / "progress.json", told)
    one = sweeps.read(folder)
    late = sweeps.Job("late", "made", tmp_path / "made" / "late", {"size": "16", "seed": "7"})
    sweeps.write(one._replace(jobs=[*one.jobs, late]))
    with store.locked(going, None):
        _, data, _ = built(tmp_path)
    runs = {run["id"]: run for run in data["experiments"][0]["runs"]}
    states = {name: runs[name]["state"] for name in ("broken", "halted", "going", "late")}
    assert states == {
        "broken": "failed", "halted": "stopped", "going": "running", "late": "queued",
    }  # fmt: skip
    assert runs["broken"]["error"] == "RuntimeError: it broke"
    assert "train 3/9" in runs["going"]["progress"]
    sixteen = next(run["group"] for run in runs.values() if run["values"][0] == 16)
    assert (runs["late"]["group"], runs["late"]["seed"]) == (sixteen, 7)


def test_smoke_is_marked(tmp_path):
    made.record(tmp_path, id="a", scale="smoke")
    made.record(tmp_path, id="b", minute=1)
    (one,) = built(tmp_path)[1]["experiments"]
    assert {run["id"]: run["smoke"] for run in one["runs"]} == {"a": True, "b": False}
    assert [group["smoke"] for group in one["groups"]] == [True, False]


def test_curves_are_the_rows_of_the_records(tmp_path):
    for seed in range(2):
        folder = made.record(tmp_path, id=f"r{seed}", seed=seed, minute=seed)
        log(folder, loss=lambda step, seed=seed: 10.0**-step + seed)
    text, data, _ = built(tmp_path)
    planes = np.frombuffer(gzip.decompress(block(text, "curves")), np.uint8).reshape(4, -1)
    numbers = np.ascontiguousarray(planes.T).view(np.float32).ravel()
    (curve,) = data["experiments"][0]["curves"]
    for run, (start, count), *_ in curve["runs"]:
        expected = [10.0**-step + run for step in range(10)]
        np.testing.assert_allclose(numbers[start : start + count], expected, rtol=2.0**-14)


def test_names_in_a_record_can_neither_end_a_script_nor_start_a_tag(tmp_path):
    folder = made.record(
        tmp_path, id="a", experiment="x<b>größe 結果", config={EVIL: EVIL}, summary={EVIL: 1.0},
        claims=[made.CLAIM | {"name": EVIL, "statement": EVIL}],
    )  # fmt: skip
    log(folder, 10, **{EVIL: float})
    text, data, _ = built(tmp_path)
    (one,) = data["experiments"]
    assert one["name"] == "x<b>größe 結果" and one["metrics"] == [EVIL]
    assert one["curves"][0]["name"] == EVIL and one["claims"][0]["statement"] == EVIL
    assert "onerror" not in text and "<b>" not in text and "x&lt;b&gt;größe 結果" in text
    assert text.count("</script>") == text.count("<script")


def test_the_page_fetches_nothing(tmp_path):
    made.grid(tmp_path)
    text, _, _ = built(tmp_path)
    assert "default-src 'none'" in text
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert "{{" not in re.sub(r"block-\w+\">[^<]*", "", text)


def test_links_lead_from_the_page_to_the_records(tmp_path):
    outputs, place = tmp_path / "Ausgänge 100%", tmp_path / "pages" / "deep"
    place.mkdir(parents=True)
    made.record(outputs, id="a", experiment="größe")
    (one,) = built(outputs, place=place)[1]["experiments"]
    assert (place / unquote(one["runs"][0]["href"]) / "summary.json").exists()


def figure(folder, name, size):
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / name).write_bytes(b"\x89PNG" + bytes(size - 4))


def test_figures_that_fit_are_inside_one_of_each_config_first(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "FIGURE_BYTES", 3_000)
    made.grid(tmp_path, seeds=range(2), sizes=(1, 2))
    for folder in (tmp_path / "made").iterdir():
        figure(folder, "a.png", 1_000)
        figure(folder, "huge.gif", 5_000)
    (one,) = built(tmp_path)[1]["experiments"]
    inside = [(run, stem) for run, stem, number, *_ in one["figures"] if number is not None]
    assert inside == [(0, "a"), (2, "a"), (1, "a")]  # runs 0 and 1 are one config, 2 and 3 another
    assert len(one["figures"]) == 8
    assert (tmp_path / unquote(one["figures"][-1][3])).exists()


def test_what_is_usual_is_left_out_of_labels_and_said_once(tmp_path):
    configs = [{"lr": lr, "steps": 100, "kind": "mlp"} for lr in (1, 2, 3)]
    configs.append({"lr": 3, "steps": 50, "kind": "cnn"})
    for number, config in enumerate(configs):
        made.record(tmp_path, id=f"r{number}", config=config, minute=number)
    (one,) = built(tmp_path)[1]["experiments"]
    assert one["usual"] == {"steps": 100, "kind": "mlp"}
    labels = [group["label"] for group in one["groups"]]
    assert sorted(labels) == ["lr=1", "lr=2", "lr=3", "lr=3, steps=50, kind=cnn"]


def test_of_a_grid_of_two_by_two_nothing_is_usual(tmp_path):
    configs = [{"a": a, "b": b} for a in (1, 2) for b in (1, 2)]
    for number, config in enumerate(configs):
        made.record(tmp_path, id=f"r{number}", config=config, minute=number)
    records = find.gather([tmp_path]).records
    assert data.usual(groups.groups(records)) == {}


def test_provenance_says_once_what_all_share(tmp_path):
    made.record(tmp_path, id="a")
    made.record(tmp_path, id="b", seed=1, minute=1, code={"sha": "f" * 40, "dirty": True})
    (one,) = built(tmp_path)[1]["experiments"]
    assert one["origin"]["jax"] == "0.10.2" and one["origin"]["device"] == "2 cpu"
    assert "code" not in one["origin"]
    assert [run["origin"]["code"] for run in one["runs"]] == ["01234567", "ffffffff with changes"]


def test_published_numbers_stand_beside_the_configs_they_are_of(tmp_path):
    for number, widths in enumerate(([784, 50, 50, 10], [784, 9, 9, 10])):
        made.record(
            tmp_path, id=f"r{number}", experiment="noise_power_law", paper="noise_curvature",
            config={"widths": widths, "loss": "cross_entropy", "data": {"name": "mnist_5k"}},
            minute=number,
            summary={"other": 1.0, "gamma_emp": 1.2},
        )  # fmt: skip
    (one,) = built(tmp_path)[1]["experiments"]
    first, second = (group["published"] for group in one["groups"])
    ((value, low, high, where),) = first["1"]
    assert (value, low, high) == (None, 1, 1.4) and "cross-entropy" in where
    assert second == {}


def test_what_is_wrong_is_on_the_page_and_the_rest_is_shown(tmp_path):
    folder = made.record(tmp_path, id="a")
    log(folder, loss=float)
    with open(folder / "metrics.jsonl", "a") as rows:
        rows.write('{"step": 11, "time": 1, "loss": NaN}\n')
    (made.record(tmp_path, id="b", minute=1) / "claims.json").write_text("[nonsense")
    _, data, faults = built(tmp_path, tmp_path / "nowhere", place=tmp_path)
    assert faults == data["faults"] and len(faults) == 3
    for words in ("nowhere: no such folder", "claims.json", "loss is not finite in 1 rows"):
        assert any(words in fault for fault in faults)
    assert [run["id"] for run in data["experiments"][0]["runs"]] == ["a"]


def test_no_records_give_a_page_that_says_so(tmp_path):
    _, data, faults = built(tmp_path)
    assert data["experiments"] == [] and faults == [f"{tmp_path}: no records in it"]


def test_twenty_runs_with_many_figures_are_below_six_megabytes_and_two_seconds(tmp_path):
    made.grid(tmp_path, seeds=range(10), sizes=(1, 2))
    rng = np.random.default_rng(0)
    for folder in (tmp_path / "made").iterdir():
        noise = {f"metric{k}": rng.standard_normal(2000) for k in range(5)}
        log(folder, 2000, **{name: lambda step, v=v: float(v[step]) for name, v in noise.items()})
        for name in ("a", "b", "c"):
            figure(folder, f"{name}.png", 200_000)
    began = time.process_time()
    text, data, _ = built(tmp_path)
    assert time.process_time() - began < 2
    assert len(text) < 6e6
    assert sum(number is not None for *_, number, _, _ in data["experiments"][0]["figures"]) == 10
