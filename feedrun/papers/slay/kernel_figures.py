"""Figures of slay_kernel, drawn from a result's summary and arrays alone."""

from typing import Any


def kernel(result) -> dict[str, Any]:
    """All figures of slay_kernel by file stem."""
    return {}
