"""Names of arms as a config takes them: one, or several."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from feedrun.models import arms


def _checked(names: list[str]) -> list[str]:
    for name in names:
        arms.parse(name)
    if len(set(names)) < len(names):
        raise ValueError(f"every arm once, got {names}")
    return names


def _listed(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


Names = Annotated[
    list[str],
    Field(min_length=1),
    BeforeValidator(_listed),
    AfterValidator(_checked),
    PlainSerializer(lambda names: names[0] if len(names) == 1 else names),
]
"""One name or several (see `models.arms`); a single one stays a word in records and tables."""
