"""Every experiment, once, through the real runner at its smoke scale; and the ids of commands."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from tests.configs import CONFIGS, EXPERIMENTS, request

from feedrun import runner, store
from feedrun.report import verdict_table

RECORDS = CONFIGS.parent / "docs" / "records"

IDS = {
    "icl_ablation": "c5dcc4c0560b",
    "icl_diversity": "682d87d777e4",
    "icl_lgssm": "faa1b1f6d8d2",
    "icl_markov": "dd1340693775",
    "icl_noise": "767b19686fb8",
    "icl_oracles": "b28b8d2b524a",
    "icl_probe": "d1624d6b21ab",
    "icl_shift": "c8d35f504174",
    "noise_power_law": "260d1f660069",
    "particles_clustering": "00a6baddae12",
    "particles_phase": "071535b2d976",
    "slay_kernel": "522d13fb3f8b",
    "slay_lm": "02ec15fdc591",
    "slay_lra": "ecaa8a9061dd",
    "slay_speed": "5fcc4edb2e08",
    "slay_synthetic": "643db3728b46",
}
"""Of `feedrun experiment=NAME`. An id that changes orphans every record made before."""

STALE = {"slay_lm"}
"""Published records made by a command that no longer exists: to be recorded anew."""


@pytest.fixture(scope="session")
def record(tmp_path_factory):
    """record(name): the record of an experiment at scale=smoke, made once a session."""
    outputs, made = tmp_path_factory.mktemp("outputs"), {}

    def of(name):
        if name not in made:
            asked = request(name, scale="smoke", outputs=str(outputs), quiet=True)
            (outcome,) = runner.execute([asked], sinks=list, say=lambda line: None)
            made[name] = asked, outcome.record
        return made[name]

    return of


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_and_its_record_is_whole(name, record):
    asked, done = record(name)
    for metric, value in done.summary.items():
        assert np.isfinite(np.asarray(value, float)).all(), metric
    assert [row["name"] for row in done.claims] == [c.name for c in asked.experiment.claims]
    assert {row["metric"] for row in done.claims if row["verdict"] != "not measured"}
    drawn = list((done.folder / "figures").iterdir())
    assert drawn and all(path.stat().st_size > 1000 for path in drawn)
    again = store.load(done.folder)
    assert again.summary == done.summary and again.run["id"] == asked.config_id
    page = io.StringIO()
    Console(width=120, file=page).print(verdict_table(done))
    assert all(word in page.getvalue() for word in done.claims[0]["claim"].split()[:3])


def test_the_ids_of_the_commands_never_change():
    assert {name: request(name).config_id for name in EXPERIMENTS} == IDS


@pytest.mark.parametrize("name", sorted(set(EXPERIMENTS) - STALE))
def test_a_published_record_is_what_its_command_returns_today(name):
    run = json.loads((RECORDS / name / "run.json").read_text())
    again = request(name, scale=run["scale"], seed=run["seed"])
    assert (run["id"], run["config"]) == (again.config_id, again.config)
