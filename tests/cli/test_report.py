"""`feedrun report` as a user meets it: formats, options, bad input, exit codes."""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from feedrun import papers
from feedrun.cli import commands
from tests import children, made

GOLDEN = """\
made  N runs, N configs, seeds N-N, scale laptop
failed (size=N, seed N) outputs/made/broken: RuntimeError: it broke
stopped (size=N, seed N) outputs/made/half

claims: N hold
         the error stays small
         expected <= N  paper, Thm N
+ holds  size=N  N [N, N]  range of N runs
+ holds  size=N  N [N, N]  range of N runs

results
size   n        error                  order
─
N     N        N [N, N]   N [N, N]
N     N of N   N [N, N]   N [N, N]
[low, high]: N% interval of the mean over n runs
queued: N run of made without a record yet
"""


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A sweep of six runs, one that failed, one that was stopped, one that waits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    folder = made.grid(tmp_path / "outputs")
    config = {"size": 32, "deep": {"rate": 0.5}}
    for id, state, seed in (("broken", "failed", 3), ("half", "unfinished", 4)):
        made.record(
            tmp_path / "outputs", id=id, config=config, state=state, seed=seed, minute=50 + seed
        )
    content = json.loads((folder / "sweep.json").read_text())
    later = {"id": "later", "experiment": "made", "folder": "made/later", "values": {"size": 64}}
    (folder / "sweep.json").write_text(json.dumps(content | {"jobs": [*content["jobs"], later]}))
    return tmp_path / "outputs"


def report(*words):
    return commands.COMMANDS["report"]([str(word) for word in words])


def masked(text):
    """Numbers as N, rules as long as you like, trailing blanks gone."""
    text = re.sub("─+", "─", text)
    text = re.sub(r"(?<![\w.])-?\d+(\.\d+)?(e[+-]\d+)?|(?<=-)\d+", "N", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def test_a_small_report_reads_like_this(outputs, capsys):
    assert report("outputs", "--metrics", "error,order") == 0
    out, err = capsys.readouterr()
    assert masked(out) == GOLDEN and not err
    assert "+ holds  size=16  0.26 [0.25, 0.27]  range of 3 runs" in out
    assert max(map(len, out.splitlines())) <= 80


def test_differences_to_a_baseline(outputs, capsys):
    assert report("outputs", "--metrics", "error", "--baseline", "size=16") == 0
    out = capsys.readouterr().out
    # Paired by seed the two sizes differ by 4/32 - 4/16 exactly: the seed's part cancels.
    assert "minus size=16" in out and "baseline" in out and "-0.125" in out


@pytest.mark.parametrize("name", ["r.md", "r.csv", "r.tex", "r.json", "r.txt"])
def test_the_name_of_the_file_chooses_the_format(outputs, name, capsys):
    assert report("outputs", "--out", name) == 0
    out, text = capsys.readouterr().out, Path(name).read_text()
    assert out.strip() == f"report   {name}" and text.endswith("\n")
    kind = {".md": "| verdict |", ".csv": "kind,", ".tex": "\\toprule", ".json": '"sections"'}
    assert kind.get(Path(name).suffix, "+ holds") in text
    assert not list(Path().glob(".*part*"))


def test_csv_has_every_number_in_full(outputs, capsys):
    assert report("outputs", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    result = next(r for r in rows if r["metric"] == "error" and r["kind"] == "result")
    assert (float(result["value"]), result["size"], result["n"]) == (4 / 16 + 0.01, "16", "3")
    claims = [row for row in rows if row["kind"] == "claim"]
    assert [(c["claim"], c["verdict"], c["over"], c["counts"]) for c in claims] == [
        ("small", "holds", "range", "True"), ("small", "holds", "range", "True"),
    ]  # fmt: skip


def test_json_has_runs_claims_results_and_what_is_wrong(outputs, capsys):
    (outputs / "made" / "torn").mkdir()
    (outputs / "made" / "torn" / "run.json").write_text("{")
    assert report("outputs", "--format", "json") == 0
    out, err = capsys.readouterr()
    content = json.loads(out)
    (section,) = content["sections"]
    assert [run["state"] for run in section["runs"]] == ["complete"] * 6 + ["failed", "unfinished"]
    assert section["runs"][6]["error"] == "RuntimeError: it broke"
    assert section["claims"][0]["alone"] == {"holds": 3}
    assert {row["metric"] for row in section["results"]} == {"error", "order"}
    assert [job["id"] for job in content["queued"]] == ["later"]
    assert len(content["faults"]) == 1 and "torn/run.json" in content["faults"][0]
    assert len(err.strip().splitlines()) == 1 and "torn/run.json" in err


def test_every_published_number_is_exported(outputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(papers, "__path__", [*papers.__path__, str(tmp_path / "more")])
    (tmp_path / "more" / "made_up").mkdir(parents=True)
    about = "{experiment: made, metric: error, where: {size: 16}, value: %s, source: %s}"
    text = "numbers:\n" + "".join(
        f"  - {about % pair}\n" for pair in ((0.2, "first"), (0.3, "later"))
    )
    (tmp_path / "more" / "made_up" / "published.yaml").write_text(text)
    assert report("outputs", "--format", "csv", "--metrics", "error") == 0
    rows = [r for r in csv.DictReader(io.StringIO(capsys.readouterr().out)) if r["published"]]
    assert [(r["size"], r["published"], r["published_source"]) for r in rows] == [
        ("16", "0.2", "first"), ("16", "0.3", "later"),
    ]  # fmt: skip
    assert report("outputs", "--metrics", "error") == 0
    assert "0.2 (a); 0.3 (b)" in capsys.readouterr().out


def test_markdown_holds_claims_results_and_what_is_missing(outputs, capsys):
    assert report("outputs", "--format", "markdown") == 0
    out = capsys.readouterr().out
    assert "## made" in out and "- failed (size=32, seed 3) outputs/made/broken" in out
    assert "| holds | the error stays small | size=16 | <= 0.5 |" in out
    assert "| size | n | error | order |" in out


def test_a_named_sweep_is_shown_as_its_table(outputs, capsys):
    table = {"title": "Error by size", "rows": ["size"], "repeats": "seed", "show": ["error"]}
    folder = made.grid(outputs.parent / "named", table=table)
    assert report(folder) == 0
    out = capsys.readouterr().out
    assert out.startswith("Error by size  6 runs") and "order" not in out.split("results")[1]
    assert report(folder, "--metrics", "order") == 0
    assert "order" in capsys.readouterr().out.split("results")[1]
    assert report(outputs.parent / "named") == 0  # not named itself: an experiment as any other
    assert capsys.readouterr().out.startswith("made  6 runs")


def test_smoke_runs_are_shown_and_count_for_nothing(tmp_path, capsys):
    made.record(tmp_path, id="small", scale="smoke")
    assert report(tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "claims: smoke, counts for nothing: 1 holds" in out
    made.record(tmp_path, id="real", minute=1)
    assert report(tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "claims: 1 holds (smoke, counts for nothing: 1 holds)" in out
    assert "runs at scale=smoke count for nothing" in out
    assert report(tmp_path, "--format", "markdown") == 0
    assert "| holds (smoke, does not count) |" in capsys.readouterr().out


def test_a_disagreement_of_the_runs_is_shown(tmp_path, capsys):
    for seed, error in enumerate((0.1, 0.2, 0.9)):
        verdict = "holds" if error < 0.5 else "fails"
        claims = [made.CLAIM | {"value": error, "low": error, "high": error, "verdict": verdict}]
        made.record(tmp_path, id=f"{seed}", seed=seed, summary={"error": error}, claims=claims)
    assert report(tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "? undecided the error stays small 0.4 [0.1, 0.9] range of 3 runs; alone 2 hold, 1 fails"
        in out
    )


def test_many_configs_of_one_verdict_are_one_line_of_text_and_all_in_markdown(tmp_path, capsys):
    folder = made.grid(tmp_path / "outputs", sizes=(4, 10, 12, 14, 16, 18, 20, 22))
    assert commands.COMMANDS["report"]([str(folder)]) == 0
    text = capsys.readouterr().out
    assert "7 of 8 configs  0.1918 to 0.41" in text  # 4 / size + 0.01
    (line,) = [x for x in text.splitlines() if "size=" in x]
    assert line.startswith("x fails") and "size=4" in line
    assert commands.COMMANDS["report"]([str(folder), "--format", "markdown"]) == 0
    assert capsys.readouterr().out.count("the error stays small") == 8


def test_it_says_where_nothing_was_published(tmp_path, capsys):
    made.record(tmp_path, id="1", paper="mean_field")
    assert report(tmp_path) == 0
    assert "published numbers: the paper states rates" in capsys.readouterr().out


def test_what_is_wrong_is_a_line_each_and_the_rest_is_shown(outputs, capsys):
    nan = outputs / "made" / "001600000000" / "summary.json"
    nan.write_text(nan.read_text().replace("0.25", "NaN"))
    same = {"size": 16, "deep": {"rate": 0.5}}
    copy = made.record(outputs.parent / "copy", id="001600000001", config=same, minute=900)
    changed = {"config": {"size": 16, "steeps": 3}, "target": "made.OTHER", "minute": 60}
    made.record(outputs, id="größer-Δ", experiment="made", seed=9, **changed)
    (outputs / "empty").mkdir()
    assert report("outputs", copy, "nowhere", "outputs/empty") == 0
    out, err = capsys.readouterr()
    lines = err.strip().splitlines()
    assert all(line.startswith("feedrun: ") for line in lines)
    for part in (
        "nowhere: no such folder",
        "outputs/empty: no records in it",
        "001600000000/summary.json: it holds NaN",
        "made 001600000001 is there more than once: copy/made/001600000001 is shown",
        "records of different versions of the experiment (targets made.EXPERIMENT, made.OTHER; "
        "config keys: deep.rate in 7 of 8, steeps in 1 of 8)",
    ):
        assert sum(part in line for line in lines) == 1, part
    assert len(lines) == 5
    assert "made  8 runs" in out and "holds" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["outputs", "--metrics", "eror"], "no run measured eror (did you mean error?)"),
        (["outputs", "--rows", "sise"], "no run has a key sise (did you mean size?)"),
        (["outputs", "--baseline", "size=17"], "baseline size=17: no run has it; there is 16, 32"),
        (["outputs", "--out", "no/folder.md"], "no/folder.md: No such file or directory"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(outputs, words, line, capsys):
    assert report(*words) == 2
    out, err = capsys.readouterr()
    assert err.strip() == f"feedrun: {line}" and not out


@pytest.mark.parametrize("words", [["outputs", "--baseline", "size"], [], ["x", "--format", "pdf"]])
def test_wrong_options_are_exit_code_2(outputs, words, capsys):
    with pytest.raises(SystemExit) as stop:
        report(*words)
    assert stop.value.code == 2 and "usage: feedrun report" in capsys.readouterr().err


def test_report_is_a_command_of_the_program_and_its_help_teaches(outputs):
    def run(*words):
        command = [sys.executable, "-m", "feedrun", "report", *words]
        return children.run(command, env=os.environ | {"COLUMNS": "80"})

    done = run("outputs")
    assert done.returncode == 0 and "claims: 2 hold" in done.stdout and not done.stderr
    text = run("--help").stdout
    assert "feedrun report outputs/lab --baseline kind=softmax" in text and "--metrics" in text
    assert run("nothing").returncode == 2
