"""Figures of icl_oracles, drawn from its arrays alone."""

from typing import Any

from feedrun.experiment import Result


def all_figures(result: Result) -> dict[str, Any]:
    """All figures of icl_oracles by file stem."""
    return {}
