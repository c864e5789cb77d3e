"""Download data sets when asked to, every file checked against its known MD5."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Download(NamedTuple):
    """Where the files of a data set can be had: base URLs, tried in turn, and file -> MD5."""

    mirrors: tuple[str, ...]
    md5: Mapping[str, str]


DOWNLOADS = {
    "mnist": Download(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion_mnist": Download(
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "cifar10": Download(
        ("https://www.cs.toronto.edu/~kriz/",),
        {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
    ),
}


def fetch(download: Download, files: Iterable[str], *, folder: Path, timeout: float = 10.0) -> None:
    """Put the named files into `folder`; those already there with the right MD5 stay.

    ConnectionError if no mirror answers within `timeout` seconds, ValueError at a wrong MD5.
    """
    with _quiet_pooch():
        for name in files:
            _fetch_one(download, name, folder=folder, timeout=timeout)


def _fetch_one(download: Download, name: str, *, folder: Path, timeout: float) -> None:
    import pooch
    import requests

    reasons, known = [], f"md5:{download.md5[name]}"
    get: Any = pooch.HTTPDownloader(timeout=timeout)  # pooch's own annotations disagree
    for mirror in download.mirrors:
        try:
            pooch.retrieve(mirror + name, known, fname=name, path=folder, downloader=get)
            return
        except ValueError as error:
            raise ValueError(
                f"{mirror}{name} is not the known file: its MD5 is not {download.md5[name]}"
            ) from error
        except requests.RequestException as error:
            reasons.append(f"{mirror} {_reason(error)}")
    raise ConnectionError(f"cannot download {name}: {'; '.join(reasons)}")


def _reason(error: Exception) -> str:
    """What went wrong, short: the HTTP status if there was an answer, else the kind of failure."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"answered {status}" if status else f"did not answer ({type(error).__name__})"


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch from writing to the terminal, which belongs to the command line."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
