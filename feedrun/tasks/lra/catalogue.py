"""The five tasks of Long Range Arena (Tay et al. 2021, arXiv:2011.04006), on real data.

What each is, and what stands in for it where the published data is not on this machine:

    task        published data (in `folder`)        without `folder`                classes
    listops     lra_release listops-1000            the same grammar, generated     10
    text        IMDb, aclImdb/                      Python source, which package?   2 (Python: 4)
    retrieval   lra_release tsv_data (AAN)          Python source, same file?       2
    image       CIFAR-10, greyscale                 Fashion-MNIST or MNIST's 5,000  10
    pathfinder  lra_release pathfinder32/64/128     the same algorithm, drawn       2
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from feedrun.errors import known
from feedrun.tasks.lra.sequences import SequenceTask

TASKS = ("listops", "text", "retrieval", "image", "pathfinder")


def load(
    task: str,
    *,
    length: int,
    train: int,
    valid: int,
    test: int,
    folder: str | Path | None = None,
    seed: int = 0,
    **options: Any,
) -> SequenceTask:
    """A task of `train`, `valid` and `test` examples, each padded to `length` tokens.

    With `folder` the published data is read from there; without, it is generated, or made from
    text and images that come with feedrun's dependencies (`source` says which). `seed` draws the
    examples. `options` are those of the task's own module: `truncate` (text, retrieval, listops
    from files), `shortest`, `max_depth`, `max_args` (listops), `data` (image), `difficulty`
    (pathfinder). `length` is the longest sequence, or pixels for image (1024, 256, 64) and
    pathfinder (1024, 4096, 16384). ValueError or FileNotFoundError, of one line, if the data is
    not there, too few or longer than `length`.
    """
    known(task, TASKS, "task")
    for name, count in {"train": train, "valid": valid, "test": test, "length": length}.items():
        if count < 1:
            raise ValueError(f"{name}={count}: at least 1 is needed")
    folder = None if folder is None else Path(folder).expanduser()
    counts = (train, valid, test)
    return _loader(task)(counts, length=length, folder=folder, seed=seed, **options)


def _loader(task: str) -> Callable[..., SequenceTask]:
    import importlib

    return importlib.import_module(f"feedrun.tasks.lra.{task}").load
