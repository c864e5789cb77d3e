"""What configs are made of: the base class, numbers with bounds, names that must exist."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from feedrun.errors import known

Elsewhere = Field(exclude=True)
"""Mark a config field that cannot change the result (`folder: Annotated[str, Elsewhere]`).

Such a field is no part of the config id.
"""

Count = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Config(BaseModel):
    """What every experiment's config inherits: frozen, complete, no unknown key, no NaN.

    `steps=1e4` is the integer 10000, `steps=1.5` an error. Fields carry no defaults: the yaml is
    complete. (Inheritance, because pydantic offers no other way to share these four switches.)
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False
    )


def one_of(names: Iterable[str], kind: str) -> BeforeValidator:
    """Check of a field, a word or a list of words: else which name is nearest and what there is."""
    names = list(names)

    def check(given: Any) -> Any:
        for word in given if isinstance(given, list) else [given]:
            known(word, names, kind)
        return given

    return BeforeValidator(check)


def _listed(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


def _unlisted(words: list[str]) -> Any:
    return words[0] if len(words) == 1 else words


OneOrMany = Annotated[
    list[str], Field(min_length=1), BeforeValidator(_listed), PlainSerializer(_unlisted)
]
"""One word or several, always a list in the config; a single one stays a word in records.

Checks are added around it: `Annotated[OneOrMany, one_of(NAMES, "attention")]`.
"""


def multiple_of(whole: str, part: str) -> Callable[[Any], Any]:
    """Check of a config for `model_validator(mode="after")`: field `part` divides field `whole`."""

    def check(config: Any) -> Any:
        total, each = getattr(config, whole), getattr(config, part)
        if total % each:
            raise ValueError(f"{whole} {total} is not a multiple of {part} {each}")
        return config

    return check
