"""What an experiment claims, shown from its claims.yaml without importing the experiment."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from feedrun.report.verdicts import expected

if TYPE_CHECKING:  # pydantic and scipy: half a second that the feed does not have
    from rich.table import Table

    from feedrun.experiment import Claim


def place(target: str) -> Path | None:
    """The claims.yaml of what `_target_` names; None where its claims are written in Python.

    It lies in the experiment's folder, or beside its module. Nothing is imported.
    """
    top, *inner = target.split(".")[:-1]
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent.joinpath(*inner)
    path = (folder if folder.is_dir() else folder.parent) / "claims.yaml"
    return path if path.exists() else None


def count(target: str) -> str:
    """'21 claims; rivals: 8', or nothing where there is no claims.yaml or it does not read."""
    path = place(target)
    try:  # the quick loader, and no check: the feed shows sixteen of them in half a second
        rows = yaml.load(path.read_text(encoding="utf-8"), LOADER) if path else []
        rivals = sum(row["origin"] == "rival" for row in rows)
    except (yaml.YAMLError, TypeError, KeyError):
        return ""
    own = f"{len(rows) - rivals} claims" if rows else ""
    return f"{own}; rivals: {rivals}" if rivals else own


LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quick one, where the machine has it."""


def claims(target: str) -> "tuple[Claim, ...]":
    """The claims in that yaml; none where there is none. Raises ValueError where it is bad."""
    from feedrun.experiment.catalogue import claims_in

    path = place(target)
    return claims_in(path) if path else ()


def table(claims: "Sequence[Claim]") -> "Table":
    """Claims as a rich grid: name; statement, what is expected of which metric, and the source."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid("name", "claim", padding=(0, 2))
    for claim in claims:
        bounds = expected({"expected_low": claim.low, "expected_high": claim.high})
        said = Text(claim.statement) + Text(f"\n{claim.metric} ", "bold") + Text(bounds)
        grid.add_row(Text(claim.name), said + Text(f"  {claim.origin}, {claim.source}", "dim"))
    return grid
