"""What the paper says of one loss or another, and the metrics by which those claims are judged.

A claim about one loss names its metric "<metric>_<loss>". Under another loss that metric is absent,
and the claim is not measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from feedrun.experiment import claims_beside

SUPPLEMENT_WIDTHS = (784, 50, 50, 50, 50, 10)
SUPPLEMENT = {1: 1.39, 2: 1.30, 3: 1.24, 4: 1.11}
"""The supplement's exponents of C against H, by layer of its deep network, with cross-entropy."""


def of_one_loss(loss: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of the claims about this one loss: `gamma_emp` as `gamma_emp_softmax_mse`."""
    names = {c.metric for c in claims_beside(__file__) if c.metric.endswith(f"_{loss}")}
    return {name: summary[name.removesuffix(f"_{loss}")] for name in sorted(names)}


def supplement_gap(
    loss: str, widths: Sequence[int], layer: int, gammas: Sequence[float]
) -> dict[str, list[float]]:
    """Exponents fitted layer by layer, less the published one; empty where none is published."""
    if loss != "cross_entropy" or tuple(widths) != SUPPLEMENT_WIDTHS or layer not in SUPPLEMENT:
        return {}
    return {"supplement_gap": [gamma - SUPPLEMENT[layer] for gamma in gammas]}
