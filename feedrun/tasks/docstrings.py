"""Text that is installed anyway: the documentation strings of Python packages, as bytes.

A document is a source file's documentation; test files have none. Documents are divided into
training, validation and test by a digest of their names, and a string that occurred before, in
whatever document, is left out: what is tested was not read in training.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PARTS = ("train", "valid", "test")
SHORTEST = 200
"""Documents of fewer characters are left out."""

END = "\n\n\n"
"""Between documents."""


class Corpus(NamedTuple):
    """uint8 arrays, and notes for a record: packages and versions, sizes, one digest."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    notes: dict[str, Any]


def load(packages: Sequence[str]) -> Corpus:
    """The documentation of `packages`, without running any of their code.

    ValueError, of one line, for a package that is not installed or has too little to divide.
    """
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    seen: set[str] = set()
    for package in packages:
        for name, path in _files(package):
            fresh = [text for text in strings(path.read_bytes()) if text not in seen]
            seen.update(fresh)
            document = "\n\n".join(fresh)
            if len(document) >= SHORTEST:
                parts[part_of(name)].append(document)
    if empty := [part for part in PARTS if not parts[part]]:
        raise ValueError(f"{', '.join(packages)}: not enough documents for a part to {empty[0]}")
    arrays = {part: _bytes(END.join(texts)) for part, texts in parts.items()}
    notes = {
        "name": "documentation strings",
        "packages": {package: _version(package) for package in packages},
        "documents": {part: len(texts) for part, texts in parts.items()},
        "bytes": {part: len(array) for part, array in arrays.items()},
        "sha256": hashlib.sha256(b"".join(a.tobytes() for a in arrays.values())).hexdigest(),
    }
    return Corpus(**arrays, notes=notes)


def strings(source: bytes) -> list[str]:
    """The documentation strings of a module, its classes and functions, in order of depth."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    return [text for node in nodes if (text := ast.get_docstring(node))]


def part_of(name: str) -> str:
    """A tenth of the documents each to validation and test, by a digest of the name."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 10
    return {0: "test", 1: "valid"}.get(number, "train")


def _files(package: str) -> Iterator[tuple[str, Path]]:
    """(name, path) of a package's modules, in order, those of its tests left out."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"no package {package!r} is installed here: leave it out or install it")
    root = Path(next(iter(spec.submodule_search_locations)))
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if not {"tests", "_tests", "testing"} & set(inside.parts):
            yield f"{package}/{inside.as_posix()}", path


def _version(package: str) -> str:
    return importlib.metadata.version(package)


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)
