"""The script that uploads offline W&B runs: which folders it hands to wandb."""

import os
from pathlib import Path

import pytest

from tests import children

SCRIPT = Path(__file__).parents[2] / "scripts" / "sync_wandb.sh"


@pytest.fixture
def synced(tmp_path):
    """Run a copy of the script with a wandb that says what it was asked."""
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / SCRIPT.name
    script.write_text(SCRIPT.read_text())
    fake = tmp_path / ".venv" / "bin" / "wandb"
    fake.parent.mkdir(parents=True)
    fake.write_text('#!/bin/sh\nfor word; do echo "<$word>"; done\n')
    fake.chmod(0o755)

    def run(*paths):
        done = children.run(["sh", script, *paths], tmp_path)
        return done.returncode, done.stdout.splitlines(), done.stderr

    return run


def segment(folder, stamp, size):
    """An offline run's folder with a file of so many bytes."""
    path = folder / "wandb" / f"offline-run-{stamp}_{folder.name}" / f"run-{folder.name}.wandb"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * size)
    return path.parent


def test_the_newest_segment_of_each_run_goes_in_one_command(synced, tmp_path):
    outputs = tmp_path / "outputs" / "lab"
    segment(outputs / "a", "20260101_100000", 500)
    newest = segment(outputs / "a", "20260101_110000", 900)
    segment(outputs / "a", "20260101_120000", 7)  # killed before it wrote anything
    other = segment(outputs / "with space", "20260101_100000", 500)
    os.symlink(newest.name, newest.parent / "latest-run")
    code, lines, _ = synced()
    assert code == 0
    paths = [f"<{path.relative_to(tmp_path)}>" for path in (newest, other)]
    assert lines == ["2 offline runs under outputs", "<sync>", "<--yes>", *paths]


def test_nothing_to_upload_is_one_line_and_an_error(synced, tmp_path):
    (tmp_path / "empty").mkdir()
    assert synced("empty") == (1, [], "no offline W&B runs under empty\n")
