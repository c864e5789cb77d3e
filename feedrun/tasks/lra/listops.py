"""ListOps at length: nested MIN, MAX, MED and SM of digits (Nangia & Bowman 2018; Tay et al. 2021).

One expression, its tokens and its label:

    [MAX 2 9 [MIN 4 7 ] 0 ]      11 3 10 12 5 8 15 1 15 (here without the 0)      9

The grammar, the limits and the rejection are those of the generator of Long Range Arena: below
the deepest level a node is an operator with probability 1/4, with 2..`max_args` arguments; an
expression is kept if `shortest` < its tokens < `longest`. Parentheses are no tokens, brackets are.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feedrun.tasks import cache
from feedrun.tasks.lra import release
from feedrun.tasks.lra.sequences import Sequences, SequenceTask, pad

OPERATOR = 0.25
OPERATORS = ("MIN", "MAX", "MED", "SM")
SYMBOLS = (*"0123456789", *(f"[{name}" for name in OPERATORS), "]")
FIRST_OPERATOR, CLOSE = 11, 15
VOCABULARY = 1 + len(SYMBOLS)
ROOTS = 1024  # expressions drawn at once, before rejection: their tokens fit a core's cache
PATIENCE = 64  # draws in a row without one new expression
FILES = ("basic_train.tsv", "basic_val.tsv", "basic_test.tsv")
Expressions = tuple[list[np.ndarray], np.ndarray]


class Level(NamedTuple):
    """The nodes of one depth of many trees, the children of a node side by side.

    tree [n]: which tree a node is of; operator [n]; counts: arguments, one an operator.
    """

    tree: np.ndarray
    operator: np.ndarray
    counts: np.ndarray


def load(
    counts: tuple[int, int, int],
    *,
    length: int,
    folder: Path | None,
    seed: int,
    shortest: int | None = None,
    max_depth: int = 10,
    max_args: int = 10,
    truncate: bool = False,
) -> SequenceTask:
    """Generated expressions of `shortest` (a quarter of `length`) to `length` tokens, exclusive.

    No expression is in two splits. With `folder`, the published ones of lra_release, of which
    `truncate` cuts those longer than `length`.
    """
    if folder is not None:
        return _published(counts, length=length, folder=folder, seed=seed, truncate=truncate)
    shortest = length // 4 if shortest is None else shortest
    limits = {"shortest": shortest, "longest": length, "max_depth": max_depth, "max_args": max_args}
    rows, labels = generate(sum(counts), seed=seed, **limits)
    tokens, lengths, _ = pad(rows, length=length, truncate=False)
    edges = np.cumsum(counts)[:-1]
    parts = zip(*(np.split(a, edges) for a in (tokens, lengths, labels)), strict=True)
    source = (
        f"ListOps generated with the grammar of Long Range Arena: {shortest} < tokens < {length}, "
        f"depth up to {max_depth}, up to {max_args} arguments, seed {seed}"
    )
    train, valid, test = (Sequences(*part) for part in parts)
    return SequenceTask(train, valid, test, VOCABULARY, 10, source)


def generate(
    count: int, *, shortest: int, longest: int, max_depth: int, max_args: int, seed: int
) -> Expressions:
    """`count` distinct expressions: tokens uint8, one row each, and labels int32 [count].

    They are kept in the cache folder under a digest of the arguments. ValueError if the limits
    allow too few.
    """
    if max_args < 2 or max_depth < 2 or not 0 <= shortest < longest:
        raise ValueError(
            f"no ListOps with max_args={max_args}, max_depth={max_depth}, shortest={shortest} and "
            f"length={longest}: needed are max_args >= 2, max_depth >= 2 and shortest < length"
        )
    limits = {"shortest": shortest, "longest": longest, "max_depth": max_depth}
    settings = limits | {"max_args": max_args, "seed": seed, "count": count, "roots": ROOTS}
    stored = cache.cached("listops", settings, lambda: _flat(count, _draws(seed, settings)))
    return np.split(stored["tokens"], np.cumsum(stored["lengths"])[:-1]), stored["labels"]


def _draws(seed: int, limits: dict[str, int]) -> Iterator[Expressions]:
    """Endless batches, each from its own stream of the seed."""
    names = ("shortest", "longest", "max_depth", "max_args")
    arguments = {name: limits[name] for name in names}
    batch = 0
    while True:
        yield draw(np.random.default_rng((seed, batch)), ROOTS, **arguments)
        batch += 1


def _flat(count: int, draws: Iterator[Expressions]) -> dict[str, np.ndarray]:
    """The first `count` distinct expressions, end to end."""
    found: dict[bytes, int] = {}
    barren = 0
    for rows, labels in draws:
        before = len(found)
        for row, label in zip(rows, labels.tolist(), strict=True):
            found.setdefault(row.tobytes(), label)
        if len(found) >= count:
            break
        barren = barren + 1 if len(found) == before else 0
        if barren == PATIENCE:
            raise ValueError(
                f"these limits of ListOps allow {len(found)} distinct expressions, not {count}: "
                "raise length or lower shortest"
            )
    rows = list(found)[:count]
    tokens = np.frombuffer(b"".join(rows), np.uint8)
    lengths = np.array([len(row) for row in rows], np.int32)
    labels = np.array(list(found.values())[:count], np.int32)
    return {"tokens": tokens, "lengths": lengths, "labels": labels}


def draw(
    rng: np.random.Generator,
    roots: int,
    *,
    shortest: int,
    longest: int,
    max_depth: int,
    max_args: int,
) -> Expressions:
    """Those of `roots` random expressions whose length is allowed: rows of tokens, and labels.

    A single digit is never allowed, so every root is an operator.
    """
    levels, lengths = _grow(rng, roots, longest=longest, max_depth=max_depth, max_args=max_args)
    kept = (lengths > shortest) & (lengths < longest)
    levels = [_keep(level, kept) for level in levels]
    symbols = [_symbols(rng, level) for level in levels]
    flat = _written(levels, symbols, lengths[kept])
    rows = np.split(flat, np.cumsum(lengths[kept])[:-1]) if kept.any() else []
    return rows, _values(levels, symbols)


def _grow(
    rng: np.random.Generator, roots: int, *, longest: int, max_depth: int, max_args: int
) -> tuple[list[Level], np.ndarray]:
    """The shapes of trees, depth by depth, and their tokens [roots], one too long not finished."""
    tree, operator = np.arange(roots), np.ones(roots, bool)
    lengths, levels = np.zeros(roots, int), []
    for depth in range(1, max_depth + 1):
        lengths += np.bincount(tree, minlength=roots) + np.bincount(tree[operator], minlength=roots)
        alive = lengths[tree] < longest
        tree, operator = tree[alive], operator[alive]
        counts = rng.integers(2, max_args + 1, operator.sum())
        levels.append(Level(tree, operator, counts))
        tree = np.repeat(tree[operator], counts)
        chance = rng.random(len(tree), np.float32)
        operator = (chance < OPERATOR) & (depth + 1 < max_depth)
        if not tree.size:
            break
    return levels, lengths


def _keep(level: Level, kept: np.ndarray) -> Level:
    mine = kept[level.tree]
    return Level(level.tree[mine], level.operator[mine], level.counts[mine[level.operator]])


def _symbols(rng: np.random.Generator, level: Level) -> np.ndarray:
    """A uniform digit 0..9 for each leaf, a uniform operator 0..3 for each operator."""
    digits = rng.integers(0, 10, len(level.tree), np.uint8)
    operators = rng.integers(0, len(OPERATORS), len(level.tree), np.uint8)
    return np.where(level.operator, operators, digits)


def _written(levels: list[Level], symbols: list[np.ndarray], lengths: np.ndarray) -> np.ndarray:
    """All expressions end to end: where a token stands follows from the sizes of what is before."""
    sizes = _sizes(levels)
    flat = np.empty(lengths.sum(), np.uint8)
    place = np.cumsum(lengths) - lengths
    for depth, (level, symbol, size) in enumerate(zip(levels, symbols, sizes, strict=True)):
        flat[place] = np.where(level.operator, FIRST_OPERATOR, 1) + symbol
        opened = place[level.operator]
        flat[opened + size[level.operator] - 1] = CLOSE
        below = sizes[depth + 1] if depth + 1 < len(sizes) else np.empty(0, int)
        before = np.cumsum(below) - below
        place = np.repeat(opened + 1 - before[_starts(level)], level.counts) + before
    return flat


def _sizes(levels: list[Level]) -> list[np.ndarray]:
    """Tokens of the subtree under each node, depth by depth."""
    below, sizes = np.empty(0, int), []
    for level in reversed(levels):
        size = np.ones(len(level.tree), int)
        if level.counts.size:
            size[level.operator] = 2 + np.add.reduceat(below, _starts(level))
        sizes.append(size)
        below = size
    return sizes[::-1]


def _values(levels: list[Level], symbols: list[np.ndarray]) -> np.ndarray:
    """The value of each root, worked out from the deepest level up."""
    value = np.empty(0, np.int32)
    for level, symbol in zip(reversed(levels), reversed(symbols), strict=True):
        below, value = value, symbol.astype(np.int32)
        if level.counts.size:
            value[level.operator] = _applied(symbol[level.operator], below, level)
    return value


def _applied(operators: np.ndarray, below: np.ndarray, level: Level) -> np.ndarray:
    starts = _starts(level)
    answers = [
        np.minimum.reduceat(below, starts),
        np.maximum.reduceat(below, starts),
        _medians(below, starts, level.counts),
        np.add.reduceat(below, starts) % 10,
    ]
    return np.choose(operators, answers)


def _medians(below: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The median of each group, rounded down: one sort, the group in the higher digits."""
    group = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    ordered = np.sort(group * 16 + below) % 16
    return (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]) // 2


def _starts(level: Level) -> np.ndarray:
    return np.cumsum(level.counts) - level.counts


def _published(
    counts: tuple[int, int, int], *, length: int, folder: Path, seed: int, truncate: bool
) -> SequenceTask:
    paths = release.files(folder, "listops-1000", FILES, task="listops")
    rng, cut, parts = np.random.default_rng(seed), 0, []
    for path, count in zip(paths, counts, strict=True):
        rows, labels = read(path)
        chosen = release.choose(rng, len(rows), count, what=str(path))
        tokens, lengths, cuts = pad(
            [rows[i] for i in chosen], length=length, truncate=truncate, what=str(path)
        )
        parts.append(Sequences(tokens, lengths, labels[chosen]))
        cut += cuts
    source = f"ListOps as published in lra_release{release.cut_note(cut, length)}"
    train, valid, test = parts
    return SequenceTask(train, valid, test, VOCABULARY, 10, source)


def read(path: Path) -> Expressions:
    """Expressions and labels of a basic_*.tsv: a header, then `Source<tab>Target` a line."""
    rows, labels = [], []
    with path.open("rb") as lines:
        next(lines, None)
        for number, line in enumerate(lines, start=2):
            source, _, target = line.rstrip(b"\r\n").partition(b"\t")
            row = parse(source)
            if not row.size or not row.all() or target not in {b"%d" % d for d in range(10)}:
                raise ValueError(f"{path}: line {number} is not an expression, a tab and a digit")
            rows.append(row)
            labels.append(int(target))
    return rows, np.array(labels, np.int32)


def parse(source: bytes) -> np.ndarray:
    """Tokens uint8 of an expression in text, with parentheses or without; 0 for what is none."""
    for index, name in enumerate(OPERATORS):
        source = source.replace(f"[{name}".encode(), bytes([FIRST_OPERATOR + index]))
    return np.frombuffer(source.translate(TABLE, b"() \t"), np.uint8)


def _table() -> bytes:
    """Single bytes to ids: digits, the closing bracket, and operators that are ids already."""
    table = bytearray(256)
    for digit in range(10):
        table[ord("0") + digit] = 1 + digit
    table[ord("]")] = CLOSE
    for operator in range(FIRST_OPERATOR, CLOSE):
        table[operator] = operator
    return bytes(table)


TABLE = _table()
