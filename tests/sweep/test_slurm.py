"""What is asked of SLURM, and what is believed of its queue when squeue answers, complains, or
cannot be reached."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from feedrun import cli
from feedrun.sweep import slurm, slurm_settings

OWN = Path(__file__).parents[1] / "own"
SETTINGS = Path(__file__).parents[2] / "configs/hydra/launcher/slurm.yaml"
SBATCH = """#!/bin/sh
cp "$1" {folder}/submitted.sh
echo "sbatch: unrecognized option '--nonsense'" >&2
echo 'Try "sbatch --help" for more information' >&2
exit 1
"""


@pytest.fixture
def submitted(tmp_path, monkeypatch):
    """submitted(words...) -> what sbatch is given by this command, as lines; None: no call.

    The sbatch here keeps what it is given and takes no job, so that nobody waits for one.
    """
    for name, text in (("sbatch", SBATCH.format(folder=tmp_path)), ("srun", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(OWN))
    monkeypatch.setattr(sys, "argv", ["feedrun"])

    def call(*words):
        lab = ("--config-dir", str(OWN / "conf"), "experiment=lab", "wandb=disabled", "-q")
        assert cli.main([*lab, "launcher=slurm", *words]) == 2
        kept = tmp_path / "submitted.sh"
        return kept.read_text().splitlines() if kept.exists() else None

    yield call
    sys.modules.pop("lab", None)


def test_settings_of_the_command_line_stand_in_the_sbatch_file(submitted, capsys):
    lines = submitted(
        "seed=range(3)",
        "launcher.account=1234",  # a word although it looks like a number
        "launcher.qos=long",
        "launcher.partition=gpu,spare",
        "launcher.constraint=a100&nvlink",
        "launcher.exclude=node[01-03,7]",
        "launcher.gres=gpu:a100:2",
        "launcher.mem_gb=1.5",
        "launcher.gpus_per_node=0",
        "launcher.signal_delay_s=0",
        "launcher.array_parallelism=2",
        "launcher.exclusive=true",
        "launcher.mail_type=END,FAIL",
        "launcher.setup=[module load cuda, export A=1]",
        "launcher.srun_args=--cpu-bind=none",
    )
    options = [
        "account=1234", "qos=long", "partition=gpu,spare", "constraint='a100&nvlink'",
        "exclude='node[01-03,7]'", "gres=gpu:a100:2", "mem=1536MB", "gpus-per-node=0",
        "signal=USR2@0", "array=0-2%2", "exclusive", "mail-type=END,FAIL", "job-name=feedrun",
        "time=60", "cpus-per-task=2", "nodes=1", "ntasks-per-node=1",
    ]  # fmt: skip
    assert [f"#SBATCH --{option}" for option in options if f"#SBATCH --{option}" not in lines] == []
    setup = lines.index("# setup")
    assert lines[setup + 1 : setup + 3] == ["module load cuda", "export A=1"]
    (srun,) = [line for line in lines if line.startswith("srun")]
    assert " --cpu-bind=none " in srun and lines.index(srun) > setup
    silent = ("comment", "nodelist", "dependency", "mem-per", "cpus-per-gpu", "mail-user")
    assert not [line for line in lines if line.startswith(tuple(f"#SBATCH --{k}" for k in silent))]
    assert "no job: sbatch: unrecognized option '--nonsense'" in capsys.readouterr().err


def test_additional_parameters_are_given_one_by_one_or_as_a_dict(submitted):
    lines = submitted(
        "launcher.additional_parameters.reservation=spring",
        "launcher.additional_parameters.licenses=matlab:2,idl",
        "+launcher.additional_parameters.nice=0",  # as Hydra would want it
        "launcher.additional_parameters={mail-user: me@here.org, contiguous: true, hold: false}",
    )
    options = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert {"reservation=spring", "licenses=matlab:2,idl", "nice=0"} <= options
    assert {"mail-user=me@here.org", "contiguous"} <= options
    assert not [option for option in options if option.startswith("hold")]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["launcher.acount=me"], "unknown key launcher.acount (did you mean launcher.account?)"),
        (["+launcher.acount=me"], "unknown key launcher.acount (did you mean launcher.account?)"),
        (["launcher.nodes=-1"], "launcher.nodes: input should be greater than 0, got -1"),
        (["launcher.nodes=two"], "launcher.nodes: input should be a valid integer"),
        (["launcher.mem_gb=lots"], "launcher.mem_gb: input should be a valid number"),
        (["launcher.timeout_min=null"], "launcher.timeout_min: input should be a valid integer"),
        (["launcher.setup=3"], "launcher.setup: input should be a valid list"),
        (["launcher.additional_parameters=x"], "additional_parameters: input should be a valid di"),
        (
            ["launcher.additional_parameters.nice={a: 1}"],
            "launcher.additional_parameters.nice: should be a word, a number, true or null",
        ),
        (["launcher.retries=1,2"], "launcher.retries: expected a whole number of 0 or more"),
        (
            ["launcher=local", "launcher.additional_parameters.nice=1"],
            "unknown key launcher.additional_parameters",
        ),
        (["launcher=inline", "+launcher.retrys=1"], "did you mean launcher.retries?"),
        (["launcher.colour=red"], "unknown key launcher.colour"),
    ],
)
def test_a_wrong_setting_is_one_line_and_nothing_is_submitted(words, line, submitted, capsys):
    assert submitted(*words) is None
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said
    assert not Path("outputs").exists()


def test_a_yaml_of_ones_own_builds_on_slurm_and_is_checked_too(submitted, tmp_path, capsys):
    own = tmp_path / "conf"
    (own / "experiment").mkdir(parents=True)
    for path in (OWN / "conf/experiment/lab.yaml", OWN / "conf/scale"):
        (own / path.relative_to(OWN / "conf")).symlink_to(path)
    (own / "hydra/launcher").mkdir(parents=True)
    mine = own / "hydra/launcher/mine.yaml"
    mine.write_text("defaults: [slurm, _self_]\naccount: physics\nadditional_parameters: {a: 1}\n")
    words = ("--config-dir", str(own), "launcher=mine")
    lines = submitted(*words)
    assert {"#SBATCH --account=physics", "#SBATCH --a=1", "#SBATCH --nodes=1"} <= set(lines)
    (tmp_path / "submitted.sh").unlink()
    mine.write_text("defaults: [slurm, _self_]\nacount: physics\n")
    capsys.readouterr()
    assert submitted(*words) is None
    (said,) = capsys.readouterr().err.splitlines()
    assert "unknown key launcher.acount (did you mean launcher.account?)" in said


def test_without_slurm_on_this_machine_one_line_says_so(submitted, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert submitted() is None
    (said,) = capsys.readouterr().err.splitlines()
    assert 'SLURM takes no job: Could not detect "srun"' in said


def test_without_submitit_one_line_says_what_to_install(submitted, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert submitted() is None
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith("launcher=slurm needs one more package: pip install 'feedrun[slurm]'")


def test_help_of_the_launcher_explains_every_setting(capsys):
    assert cli.main(["-m", "experiment=noise_power_law", "launcher=slurm", "--help"]) == 0
    shown = capsys.readouterr().out
    known = {*slurm_settings.Settings.model_fields, "retries", "batch", "_target_"}
    assert set(yaml.safe_load(SETTINGS.read_text())) == known
    for line in SETTINGS.read_text().splitlines():
        key = line.partition(":")[0]
        if key in known - {"_target_"}:
            assert line in shown and len(line.partition(" # ")[2]) > 5, key
    assert "samples" in shown  # the experiment's own


@pytest.fixture
def squeue(monkeypatch):
    """Let squeue answer so: squeue(stdout, stderr, code)."""

    def answer(out, err="", code=0):
        done = subprocess.CompletedProcess([], code, out, err)
        monkeypatch.setattr(slurm.subprocess, "run", lambda *_, **__: done)

    return answer


def test_jobs_that_squeue_lists_are_in_the_queue(squeue):
    squeue("7_0\n7_2\n")
    assert slurm.in_queue(["7_0", "7_1", "7_2"]) == {"7_0", "7_2"}


def test_a_job_that_squeue_does_not_know_is_not(squeue):
    squeue("", "slurm_load_jobs error: Invalid job id specified", 1)
    assert slurm.in_queue(["7_0"]) == set()


def test_no_job_is_lost_while_squeue_cannot_be_reached(squeue):
    squeue("", "slurm_load_jobs error: Unable to contact slurm controller", 1)
    assert slurm.in_queue(["7_0", "7_1"]) == {"7_0", "7_1"}


def test_a_job_has_left_once_it_was_out_of_the_queue_for_a_while(squeue, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now[0])
    queue = slurm.Queue()
    squeue("7_1\n")
    assert queue.left(["7_0", "7_1"]) == set()
    now[0] += slurm.LAG / 2
    squeue("7_0\n")  # queued again
    assert queue.left(["7_0", "7_1"]) == set()
    now[0] += slurm.LAG
    squeue("")
    assert queue.left(["7_0", "7_1"]) == {"7_1"}
