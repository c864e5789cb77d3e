"""Words that must be one of some names: else one line says which is nearest and what there is."""

from collections.abc import Iterable
from typing import Any

from pydantic import BeforeValidator

from feedrun.errors import known


def one_of(names: Iterable[str], kind: str) -> BeforeValidator:
    """The same as the check of a config field, for a word or each of a list."""

    def check(given: Any) -> Any:
        for word in given if isinstance(given, list) else [given]:
            known(word, names, kind)
        return given

    return BeforeValidator(check)
