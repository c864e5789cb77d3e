"""Words that must be one of some names: else one line says which is nearest and what there is."""

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BeforeValidator


def known(word: Any, names: Iterable[str], kind: str) -> Any:
    """The word, if it is one of `names`; else ValueError, which calls it a `kind`."""
    if word in (names := list(names)):
        return word
    near = difflib.get_close_matches(str(word), names, 1, 0.0)[0]
    raise ValueError(f"no {kind} {word!r}: did you mean {near}? (There are {', '.join(names)}.)")


def one_of(names: Iterable[str], kind: str) -> BeforeValidator:
    """The same as the check of a config field, for a word or each of a list."""

    def check(given: Any) -> Any:
        for word in given if isinstance(given, list) else [given]:
            known(word, names, kind)
        return given

    return BeforeValidator(check)
