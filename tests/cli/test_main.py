"""The command line as a user meets it: real processes, exit codes, files, words."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from feedrun import cli
from feedrun.records import store
from tests import children

OWN = Path(__file__).parents[1] / "own"
CONF = str(OWN / "conf")
ENV = os.environ | {"PYTHONPATH": str(OWN), "COLUMNS": "100", "WANDB_MODE": ""}


def start(folder, *words):
    command = [sys.executable, "-m", "feedrun", "--config-dir", CONF, *words]
    return children.start(command, folder, ENV)


def feedrun(folder, *words):
    """(exit code, stdout, stderr) of one command in a folder."""
    done = start(folder, *words).ended()
    return done.returncode, done.stdout, done.stderr


def rows(folder):
    """The rows of the only record, without the clock and without a torn last line."""
    (path,) = folder.glob("outputs/lab/*/metrics.jsonl")
    return [{k: v for k, v in row.items() if k != "time"} for row in store.read_rows(path)]


def summary(folder):
    (path,) = folder.glob("outputs/lab/*/summary.json")
    return json.loads(path.read_text())["summary"]


def test_run_writes_its_record_and_asking_again_returns_it(tmp_path):
    code, out, err = feedrun(tmp_path, "experiment=lab", "wandb=disabled")
    assert code == 0, err
    (folder,) = tmp_path.glob("outputs/lab/*")
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names - {"code.diff"} == {
        ".lock",
        "run.json",
        "metrics.jsonl",
        "arrays.npz",
        "claims.json",
        "summary.json",
        "figures/params.png",
    }
    assert "SGD finds the line" in out and "+ holds" in out and "x fails" in out
    assert str(folder.relative_to(tmp_path)) in out
    assert len(rows(tmp_path)) == 20
    before = (folder / "summary.json").stat().st_mtime_ns

    code, out, err = feedrun(tmp_path, "experiment=lab", "wandb=disabled", "-q")
    assert code == 0 and "+ holds" in out and "force=true" in out and not err
    assert (folder / "summary.json").stat().st_mtime_ns == before


def test_smoke_verdicts_are_marked_as_not_counting(tmp_path):
    code, out, _ = feedrun(tmp_path, "experiment=lab", "scale=smoke", "wandb=disabled")
    assert code == 0 and "counts for nothing" in out
    run = json.loads(next(tmp_path.glob("outputs/lab/*/run.json")).read_text())
    assert run["config"]["steps"] == 50 and run["scale"] == "smoke"
    assert {"sha", "dirty"} == set(run["code"]) and run["device"]["platform"] and run["process"]


def test_killed_run_resumes_to_the_bit_identical_curve_and_summary(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    words = ["experiment=lab", "wandb=disabled", "checkpoint_seconds=0", "trouble=hold", "-q"]
    (whole / "go").touch()
    assert feedrun(whole, *words)[0] == 0
    process = start(broken, *words)
    checkpoint = "outputs/lab/*/checkpoint-train.npz"
    children.until(lambda: list(broken.glob(checkpoint)), process)
    process.send(signal.SIGKILL)
    process.ended()
    assert not list(broken.glob("outputs/lab/*/summary.json"))
    (metrics,) = broken.glob("outputs/lab/*/metrics.jsonl")
    assert 0 < len(rows(broken)) < 20
    with metrics.open("a") as file:
        file.write('{"step": 9999, "ti')  # a line torn by the kill

    (broken / "go").touch()
    code, _, err = feedrun(broken, *words)
    assert code == 0 and "resuming from train" in err
    assert rows(broken) == rows(whole)
    assert summary(broken) == summary(whole)
    assert not list(broken.glob(checkpoint))


def test_ctrl_c_says_how_to_go_on(tmp_path):
    words = ("experiment=lab", "wandb=disabled", "checkpoint_seconds=0", "trouble=hold")
    process = start(tmp_path, *words)
    checkpoint = "outputs/lab/*/checkpoint-train.npz"
    children.until(lambda: list(tmp_path.glob(checkpoint)), process)
    process.send(signal.SIGINT)
    done = process.ended()
    assert done.returncode == 130
    assert "the same command resumes" in done.stderr and "Traceback" not in done.stderr


def test_two_processes_with_one_config_share_one_run(tmp_path):
    words = ("experiment=lab", "wandb=disabled", "trouble=hold")
    pair = start(tmp_path, *words), start(tmp_path, *words)
    children.until(lambda: any("waiting" in process.said() for process in pair), *pair)
    (tmp_path / "go").touch()
    first, second = (process.ended() for process in pair)
    assert first.returncode == second.returncode == 0
    assert sum("waiting" in done.stderr for done in (first, second)) == 1
    assert sum("finished before" in done.stdout for done in (first, second)) == 1
    assert len(rows(tmp_path)) == 20


def test_failing_experiment_leaves_one_line_and_its_traceback(tmp_path):
    code, _, err = feedrun(tmp_path, "experiment=lab", "wandb=disabled", "trouble=raise", "-q")
    (path,) = tmp_path.glob("outputs/lab/*/failure.json")
    assert code == 1
    assert err.strip().startswith("feedrun: RuntimeError: the experiment broke (see ")
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" in json.loads(path.read_text())["traceback"]


def test_nan_in_the_summary_is_an_error_with_its_name(tmp_path):
    code, _, err = feedrun(
        tmp_path, "experiment=lab", "wandb=disabled", "trouble=not-a-number", "-q"
    )
    assert code == 1 and "distance is nan" in err
    assert not list(tmp_path.glob("outputs/lab/*/summary.json"))


def test_diverging_fit_stops_with_step_and_name(tmp_path):
    code, _, err = feedrun(tmp_path, "experiment=lab", "wandb=disabled", "lr=100", "-q")
    assert code == 1 and "FloatingPointError: train/" in err and " at step " in err


def test_full_disk_is_one_line_and_the_run_resumes_when_there_is_room(tmp_path):
    limited = "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000));"
    limited += "sys.argv[0] = 'feedrun'; runpy.run_module('feedrun', run_name='__main__')"
    words = ["--config-dir", CONF, "experiment=lab", "wandb=disabled", "process.cache=false"]
    words += ["log_every=1", "-q"]
    done = children.run([sys.executable, "-c", limited, *words], tmp_path, ENV)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip() == "feedrun: File too large: writing under outputs"
    assert not list(tmp_path.glob("outputs/lab/*/.*part*"))
    code, _, err = feedrun(tmp_path, *words[2:])
    assert code == 0, err
    assert len(rows(tmp_path)) == 200


def test_help_imports_neither_jax_nor_flax_nor_wandb_and_is_quick(tmp_path):
    code = "import sys, time; from feedrun.cli import main; main(['--help']);"
    code += "print('HEAVY', [m for m in ('jax','flax','wandb','scipy') if m in sys.modules]);"
    code += "print('QUICK', time.process_time() < 5)"  # half a second on a quiet machine
    done = children.run([sys.executable, "-c", code])
    assert "HEAVY []" in done.stdout and "experiment=" in done.stdout
    assert "QUICK True" in done.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["experiment=lab", "stesp=3"], "unknown key stesp (did you mean steps?)"),
        (["experiment=lab", "+more=1"], "unknown key more"),
        (["experiment=lbb"], "no experiment lbb (did you mean lab?)"),
        (["experiment=lab", "scale=smok"], "no scale smok (did you mean smoke?)"),
        (["experiment=lab", "scale=paper"], "experiment lab has no scale paper; it has laptop"),
        (["experiment=lab", "steps=abc"], "steps: input should be a valid integer"),
        (["experiment=lab", "steps=1.5"], "got 1.5"),
        (["experiment=lab", "lr=-1"], "lr: input should be greater than 0, got -1"),
        (["experiment=lab", "seed=-1"], "seed: input should be greater than or equal to 0"),
        (["experiment=lab", "wandb=maybe"], "wandb: input should be 'offline', 'online'"),
        (["experiment=lab", "steps=[1,"], "cannot read steps=[1,"),
        (["experiment=lab", "process.devics=1"], "did you mean process.devices?"),
        (["experiment=lab", "process.distributed=here"], "should be false, auto or HOST:PORT"),
        (["experiment=lab", "process.distributed=a:99999"], "should be false, auto or HOST:PORT"),
        (["experiment=lab", "process.distributed=a:99"], "needs FEEDRUN_PROCESSES (how many)"),
        (["lab"], "lab: expected key=value (did you mean experiment=lab?)"),
        (["--quite", "experiment=lab"], "unknown option --quite (did you mean --quiet?)"),
        (["scale=smoke"], "which experiment? experiment="),
        (["experiment=lab", "--config-dir", "nowhere"], "nowhere: no such folder"),
        (["experiment=lab", "outputs=file/under"], "Not a directory"),
        (["experiment=lab", "outputs=/proc/none"], "/proc/none"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(OWN))
    monkeypatch.setattr(sys, "argv", ["feedrun"])
    Path("file").touch()
    conf = [] if "--config-dir" in words else ["--config-dir", CONF]
    code = cli.main([*conf, *words, "quiet=true"] if "=" in words[-1] else [*conf, *words])
    err = capsys.readouterr().err.strip()
    assert code == 2
    assert line in err and len(err.splitlines()) == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text.replace("lr: 0.05", "lr: {0.05"), "lab.yaml:"),
        (lambda text: text.replace("lr: 0.05", ""), "lacks the key lr"),
        (lambda text: text.replace("lr: 0.05", "lr: ???"), "the key lr has no value"),
        (lambda text: text.replace("lr: 0.05", "lr: ${rate}"), "'rate' not found"),
        (lambda text: text.replace("lab.EXP", "lob.EXP"), "No module named 'lob'"),
        (lambda text: text.replace("lab.EXPERIMENT", "lab.CLAIMS"), "not an Experiment"),
        (lambda text: text.replace("about:", "abbout:"), "lacks the key about"),
    ],
)
def test_broken_yaml_is_one_line_and_exit_code_2(change, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(OWN))
    monkeypatch.setattr(sys, "argv", ["feedrun"])
    Path("conf/experiment").mkdir(parents=True)
    text = (OWN / "conf/experiment/lab.yaml").read_text()
    Path("conf/experiment/lab.yaml").write_text(change(text))
    code = cli.main(["--config-dir", "conf", "experiment=lab"])
    err = capsys.readouterr().err.strip()
    assert code == 2
    assert line in err and len(err.splitlines()) == 1
    assert not Path("outputs").exists()


def test_feed_shows_the_papers_and_the_last_verdicts(tmp_path):
    feedrun(tmp_path, "experiment=lab", "wandb=disabled", "-q")
    feedrun(tmp_path, "experiment=lab", "wandb=disabled", "-q", "scale=smoke")
    code, out, _ = feedrun(tmp_path)
    assert code == 0
    for arxiv in ("2602.05600", "2602.17744", "2602.04915", "2512.01868"):
        assert arxiv in out
    assert (
        "Does SGD find a line?" in out and "last: laptop, seed 0: 1 holds; rivals: 1 fails" in out
    )


def test_help_of_an_experiment_shows_its_commented_yaml(capsys):
    assert cli.main(["--config-dir", CONF, "experiment=lab", "--help"]) == 0
    assert "# learning rate" in capsys.readouterr().out


def test_help_of_an_experiment_lists_its_claims_without_jax():
    code = "import sys; from feedrun.cli import main; main(['experiment=icl_shift', '--help']);"
    code += "print('HEAVY', [m for m in ('jax', 'flax', 'wandb') if m in sys.modules])"
    done = children.run([sys.executable, "-c", code])
    assert "claims: 6" in done.stdout and "no_arm_beats_the_genie_anywhere" in done.stdout
    assert "leak_position_z >= -4.5  derived, the" in done.stdout
    assert "HEAVY []" in done.stdout


def test_claims_of_one_s_own_lie_beside_the_module_and_a_bad_one_is_one_line(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/mine.yaml").write_text("_target_: minimal.EXPERIMENT\n")
    Path("minimal.py").write_text("raise RuntimeError('imported')\n")
    words = ["--config-dir", "conf", "experiment=mine", "--help"]
    assert cli.main(words) == 0 and "claims" not in capsys.readouterr().out
    row = (
        "- {name: small, origin: derived, source: none, statement: it is, metric: loss, high: 1}\n"
    )
    Path("claims.yaml").write_text(row)
    assert cli.main(words) == 0 and "loss <= 1  derived, none" in capsys.readouterr().out
    Path("claims.yaml").write_text(row.replace("metric", "mettric"))
    assert cli.main(words) == 2
    err = capsys.readouterr().err.strip()
    assert "claims.yaml: small: unknown key mettric (did you mean metric?)" in err
    assert len(err.splitlines()) == 1


def test_feed_says_how_much_is_claimed(tmp_path):
    code, out, _ = feedrun(tmp_path)
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert "not run here yet: 27 claims; rivals: 2" in lines  # particles_clustering
    assert "not run here yet" in lines  # lab, whose claims are in Python
