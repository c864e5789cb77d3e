"""Python source that is always at hand: that of feedrun's own dependencies, cut into pieces.

A document is a file, without the comments it opens with (those name its authors). Files are dealt
out to the splits whole, and a piece that occurs twice is used once, so nothing leaks.
"""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

PACKAGES = ("numpy", "scipy", "matplotlib", "jax")
SKIPPED = {"tests", "test", "testing", "_vendor", "_external", "externals"}


class Piece(NamedTuple):
    """`text`, a number of bytes of the file `document` of the package `package`."""

    package: int
    document: int
    text: bytes


def pieces(size: int) -> list[Piece]:
    """All different pieces of `size` bytes, file after file; ValueError if there are none."""
    found, seen, document = [], set(), 0
    for package, name in enumerate(PACKAGES):
        for path in _files(name):
            document += 1
            text = body(path.read_bytes())
            for start in range(0, len(text) - size + 1, size):
                piece = text[start : start + size]
                if piece not in seen:
                    seen.add(piece)
                    found.append(Piece(package, document, piece))
    if not found:
        raise ValueError(f"no source file of {', '.join(PACKAGES)} has {size} bytes")
    return found


def body(text: bytes) -> bytes:
    """A file without the comments and empty lines that it opens with."""
    lines = text.splitlines(keepends=True)
    opening = 0
    while opening < len(lines) and (not lines[opening].strip() or lines[opening][:1] == b"#"):
        opening += 1
    return b"".join(lines[opening:])


def deal(
    found: Sequence[Piece], counts: Sequence[int], rng: np.random.Generator
) -> list[list[Piece]]:
    """Pieces for each split, in proportion to `counts`, no document in two: shuffled."""
    documents: dict[int, list[Piece]] = {}
    for piece in found:
        documents.setdefault(piece.document, []).append(piece)
    dealt: list[list[Piece]] = [[] for _ in counts]
    keys = list(documents)
    for key in (keys[i] for i in rng.permutation(len(keys))):
        fill = [len(split) / count for split, count in zip(dealt, counts, strict=True)]
        dealt[int(np.argmin(fill))] += documents[key]
    return [[split[i] for i in rng.permutation(len(split))] for split in dealt]


def described(found: Sequence[Piece]) -> str:
    """Packages with their versions and a digest of the pieces, for `source`."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    digest = hashlib.sha256(b"".join(piece.text for piece in found)).hexdigest()
    return f"{versions}; sha256 {digest[:12]}"


def _files(package: str) -> list[Path]:
    """A package's source files, without its tests and what it carries of others."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the source of {package} is not installed")
    root = Path(spec.origin).parent
    files = (path for path in root.rglob("*.py") if not SKIPPED & set(path.parts[:-1]))
    return sorted(path for path in files if not path.name.startswith("test_"))
