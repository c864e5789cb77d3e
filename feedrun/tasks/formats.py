"""The file formats of image data sets: bytes in, pixels and labels out, or one line why not.

IDX (MNIST and its kin): http://yann.lecun.com/exdb/mnist; CIFAR-10 batches, which are Python 2
pickles: https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import gzip
import io
import pickle
import tarfile
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

LABELS = 10
IDX_LABELS, IDX_IMAGES = 0x801, 0x803
Pair = tuple[np.ndarray, np.ndarray]
TORN = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError)


def read(path: Path) -> bytes:
    """The content of a file, decompressed if its name ends in .gz."""
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except TORN as error:
        raise ValueError(f"{path}: truncated or not gzip ({error})") from error


def read_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The named members of a .tar.gz, by name; nothing is written to disk."""
    wanted, found = set(names), {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name in wanted else None
                if stream is not None:
                    found[member.name] = stream.read()
    except TORN as error:
        raise ValueError(f"{path}: truncated or not a .tar.gz ({error})") from error
    if missing := sorted(wanted - found.keys()):
        raise ValueError(f"{path}: holds no {', '.join(missing)}")
    return found


def idx_images(raw: bytes, where: object) -> np.ndarray:
    """Pixels uint8 [N, height, width] of an idx3-ubyte file; `where` names it in errors."""
    return _idx(raw, where, magic=IDX_IMAGES, what="images")


def idx_labels(raw: bytes, where: object) -> np.ndarray:
    """Labels int32 [N] in 0..9 of an idx1-ubyte file."""
    return checked_labels(_idx(raw, where, magic=IDX_LABELS, what="labels"), where)


def _idx(raw: bytes, where: object, *, magic: int, what: str) -> np.ndarray:
    """An idx file: 4 bytes of magic number (the last is the rank), a big-endian size an axis."""
    rank = magic & 0xFF
    start = 4 * (1 + rank)
    if len(raw) < start:
        raise ValueError(f"{where}: truncated, {len(raw)} bytes are no header of {what}")
    found, *shape = np.frombuffer(raw, ">u4", count=1 + rank).tolist()
    if found != magic:
        raise ValueError(
            f"{where}: not an idx file of {what}: magic number {found:#010x}, not {magic:#010x}"
        )
    expected = start + int(np.prod(shape, dtype=object))
    if len(raw) != expected:
        kind = "truncated" if len(raw) < expected else "too long"
        raise ValueError(f"{where}: {kind}, the header says {expected} bytes, it has {len(raw)}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def csv_digits(raw: bytes, where: object) -> Pair:
    """(pixels uint8 [N, 28, 28], labels int32 [N]) from rows of 784 pixels and a label."""
    rows, width = raw.rstrip().count(b"\n") + 1, 28 * 28 + 1
    try:
        with warnings.catch_warnings(action="error", category=DeprecationWarning):
            table = np.fromstring(raw.rstrip().replace(b"\n", b","), np.int64, sep=",")  # pyright: ignore[reportCallIssue, reportArgumentType]
    except (DeprecationWarning, ValueError) as error:
        raise ValueError(f"{where}: not a table of integers ({error})") from error
    if table.size != rows * width:
        raise ValueError(f"{where}: {table.size} numbers in {rows} rows of {width}")
    pixels, labels = np.split(table.reshape(rows, width), [width - 1], axis=1)
    if pixels.min() < 0 or pixels.max() > 255:
        raise ValueError(f"{where}: pixels in {pixels.min()}..{pixels.max()}, not in 0..255")
    return pixels.astype(np.uint8).reshape(rows, 28, 28), checked_labels(labels[:, 0], where)


def cifar_batch(raw: bytes, where: object) -> Pair:
    """(pixels uint8 [N, 32, 32, 3], labels int32 [N]) of one CIFAR-10 batch, safely unpickled."""
    try:
        batch = _ArraysOnly(io.BytesIO(raw), encoding="bytes").load()
    # A broken or hostile pickle can raise anything at all.
    except Exception as error:
        raise ValueError(f"{where}: not a CIFAR-10 batch ({_one_line(error)})") from error
    named = {_text(key): value for key, value in batch.items()} if isinstance(batch, dict) else {}
    data, labels = named.get("data"), named.get("labels")
    if not isinstance(data, np.ndarray) or not isinstance(labels, list):
        raise ValueError(f"{where}: not a CIFAR-10 batch, it holds no arrays data and labels")
    if data.dtype != np.uint8 or data.shape[1:] != (3 * 32 * 32,):
        raise ValueError(f"{where}: data is {data.dtype} {data.shape}, not uint8 (N, 3072)")
    if len(data) != len(labels):
        raise ValueError(f"{where}: {len(data)} images and {len(labels)} labels")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), checked_labels(labels, where)


def checked_labels(labels: Any, where: object) -> np.ndarray:
    """Labels as int32 [N]; ValueError names the first that is not in 0..9."""
    try:
        y = np.asarray(labels, np.int32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{where}: labels are not integers ({_one_line(error)})") from error
    if (bad := np.flatnonzero((y < 0) | (y >= LABELS))).size:
        raise ValueError(f"{where}: label {y[bad[0]]} of image {bad[0]} is not in 0..{LABELS - 1}")
    return y


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy arrays and plain data only (pickle offers no way but a subclass)."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            "multiarray._reconstruct": np.empty(0).__reduce__()[0],
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
            "_codecs.encode": _encode_latin1,
        }
        # Python 2 wrote numpy.core.multiarray, numpy 2 writes numpy._core.multiarray.
        short = module.removeprefix("numpy.core.").removeprefix("numpy._core.")
        if (found := allowed.get(f"{short}.{name}")) is None:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}")
        return found


def _encode_latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in the old pickle protocols; any other encoding is refused."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"refused to encode as {encoding}")
    return text.encode("latin1")


def _text(key: Any) -> Any:
    return key.decode("latin1") if isinstance(key, bytes) else key


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
