"""Every cell of the named sweeps is a valid config, and its rows name what differs."""

import pytest

from tests.configs import swept


@pytest.mark.parametrize("scale", ["laptop", "smoke"])
@pytest.mark.parametrize("name", ["icl_arms", "icl_ablation_matrix"])
def test_every_cell_is_a_config_and_rows_tell_them_apart(name, scale):
    cells = list(swept(name, scale))
    rows = [tuple(one.config[key] for key in ("family", "arms")) for one in cells]
    assert len(set(rows)) == len(cells) == 30
    shown = cells[0].settings.table
    assert shown is not None and set(shown.rows) == {"family", "arms"}
