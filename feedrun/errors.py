"""What went wrong, in one line: bad input, the nearest valid name, what an exception says."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class BadInput(Exception):
    """The user can mend this: shown as one line, exit code 2, nothing half-written."""


def nearest(word: str, names: Iterable[str], *, as_given: str = "") -> str:
    """' (did you mean x?)' for the most similar name, or an empty string.

    `as_given` stands before the name, as in 'experiment='.
    """
    close = get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f" (did you mean {as_given}{close[0]}?)" if close else ""


def known(word: Any, names: Iterable[str], kind: str) -> Any:
    """The word, if it is one of `names`; else ValueError, which calls it a `kind`."""
    if word in (names := list(names)):
        return word
    near = get_close_matches(str(word), names, 1, 0.0)[0]
    raise ValueError(f"no {kind} {word!r}: did you mean {near}? (There are {', '.join(names)}.)")


def first_line(error: BaseException) -> str:
    """The first line of an exception's text; its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def os_line(error: OSError, place: str) -> str:
    """What the disk refused, and where: its own words, or `place` where it does not say."""
    if error.strerror is None:  # raised by us, with a sentence
        return first_line(error)
    return f"{error.strerror}: {error.filename or place}"
