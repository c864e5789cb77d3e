"""Published numbers stand beside runs of their setting, and name things that exist."""

import json
from pathlib import Path

import pytest
import yaml

import feedrun
from feedrun.analysis import groups, published
from feedrun.records import store
from feedrun.runner.config import resolve

PAPERS = Path(feedrun.__file__).parent / "papers"
CONFIGS = PAPERS.parent.parent / "configs" / "experiment"
RECORDS = PAPERS.parent.parent / "docs" / "records"
FILES = sorted(PAPERS.glob("*/published.yaml"))


def number(**changes):
    return published.Number(
        **{"experiment": "e", "metric": "m", "value": 1.0, "source": "s"} | changes
    )


def test_every_paper_says_what_was_published_or_that_nothing_was():
    folders = {path.parent for path in PAPERS.glob("*/__init__.py")}
    assert {path.parent for path in FILES} == folders
    assert all(published.published(path.parent.name).none for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.parent.name)
def test_numbers_name_metrics_and_keys_of_their_experiment(path):
    for one in published.published(path.parent.name).all():
        assert one.value is not None or one.low is not None or one.high is not None
        text = CONFIGS / f"{one.experiment}.yaml"
        if not text.exists():
            continue  # the experiment is still to be built; then this test looks at it
        content = yaml.safe_load(text.read_text())
        keys = store.flat(content)
        assert all(groups.full(key, keys) in keys for key in one.where), one
        summary = RECORDS / one.experiment / "summary.json"
        if summary.exists():  # a run says which metrics there are, claims name only some of them
            known = {claim.metric for claim in resolve(content["_target_"]).claims}
            known |= set(json.loads(summary.read_text())["summary"])
            known |= {name.split("/")[-1] for name in known}  # alone, a part has no prefix
            assert one.metric in known or elsewhere(one.metric, known, words(text)), one


def words(path):
    """All words in lists of an experiment's yaml and its scales: names of tasks and the like."""
    scales = sorted((CONFIGS.parent / "scale" / path.stem).glob("*.yaml"))
    values = [
        v for p in (path, *scales) for v in store.flat(yaml.safe_load(p.read_text())).values()
    ]
    return {word for v in values if isinstance(v, list) for word in v if isinstance(word, str)}


def elsewhere(metric, known, words):
    """Is it a known metric, but of a task that only a larger scale runs?"""
    ours = [word for word in words if word in metric]
    return any(metric == k.replace(a, b) for b in ours for k in known for a in words if a in k)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({}, True),
        ({"depth": 3}, True),
        ({"model.depth": 3}, True),
        ({"depth": 4}, False),
        ({"task": ["a", "b"]}, True),
        ({"task": ["b"]}, False),
        ({"widths": [1, 2]}, True),
        ({"widths": [1, 3]}, False),
        ({"unknown": 1}, False),
    ],
)
def test_a_number_stands_beside_runs_of_its_setting(where, fits):
    config = {"experiment": "e", "model.depth": 3, "task": "a", "widths": [1, 2]}
    assert bool(published.beside([number(where=where)], config, "m")) == fits
    assert not published.beside([number(where=where)], config, "other")
    assert not published.beside([number(where=where)], config | {"experiment": "f"}, "m")


def test_a_table_becomes_rows_in_the_unit_of_the_metric():
    table = published.Rows(
        experiment="e", metric="m", unit=0.01, source="s", key="task", columns=["a", "b"],
        rows={"Reformer": [37.0, None], "BigBird": [36.0, 64.0]},
    )  # fmt: skip
    found = published.Published(tables=[table]).all()
    assert [(n.name, n.where["task"], n.value) for n in found] == [
        ("Reformer", "a", 0.37), ("BigBird", "a", 0.36), ("BigBird", "b", 0.64),
    ]  # fmt: skip
    config = {"experiment": "e", "task": "a"}
    assert not published.beside(found, config, "m")
    assert [n.name for n in published.others(found, [config], "m")] == ["Reformer", "BigBird"]


def test_the_deep_networks_exponents_stand_beside_their_layers():
    numbers = published.published("noise_curvature").all()
    config = {"experiment": "noise_power_law", "widths": [784, 50, 50, 50, 50, 10], "layer": 3,
              "loss": "cross_entropy", "data.name": "mnist"}  # fmt: skip
    (one,) = published.beside(numbers, config, "gamma_emp_layerwise")
    assert one.value == 1.24
    assert not published.beside(numbers, config, "gamma_emp")  # another window of directions
    shallow = config | {"widths": [784, 50, 50, 10], "layer": 1}
    (one,) = published.beside(numbers, shallow, "gamma_emp")
    assert (one.value, one.low, one.high) == (None, 1.0, 1.4)
