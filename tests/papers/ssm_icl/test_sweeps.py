"""Every cell of the named sweeps is a valid config, and its rows name what differs."""

import itertools
from pathlib import Path

import pytest
import yaml

import feedrun
from feedrun.run.config import Table, resolve

CONFIGS = Path(feedrun.__file__).parent.parent / "configs"


@pytest.mark.parametrize("scale", ["laptop", "smoke"])
@pytest.mark.parametrize("name", ["icl_arms", "icl_ablation_matrix"])
def test_every_cell_is_a_config(name, scale):
    sweep = yaml.safe_load((CONFIGS / f"sweep/{name}.yaml").read_text())
    experiment = sweep.pop("defaults")[0]["override /experiment"]
    lists = sweep.pop("hydra")["sweeper"]["params"]
    table = Table.model_validate(sweep.pop("table"))
    base = yaml.safe_load((CONFIGS / f"experiment/{experiment}.yaml").read_text())
    target = resolve(base.pop("_target_"))
    del base["about"]
    small = CONFIGS / f"scale/{experiment}/{scale}.yaml"
    sizes = merged(sweep, yaml.safe_load(small.read_text()) if small.exists() else {})
    keys, values = zip(*((key, words.split(",")) for key, words in lists.items()), strict=True)
    assert set(table.rows) == set(keys) - {"seed"}
    for words in itertools.product(*values):
        cell = dict(zip(keys, words, strict=True))
        del cell["seed"]
        cfg = target.config.model_validate(merged(base, sizes) | cell)
        assert {key: cfg.model_dump()[key] for key in cell} == cell


def merged(whole, part):
    """The nested mapping with what `part` changes."""
    return whole | {
        key: merged(whole.get(key, {}), own) if isinstance(own, dict) else own
        for key, own in part.items()
    }
