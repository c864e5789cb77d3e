"""The journal of a run on disk: rows, checkpoints, and picking up where a killed run stopped."""

import io
import json
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from feedrun.experiment import Journal, silent_journal
from feedrun.records import store
from feedrun.runtime import collectives

Row = dict[str, Any]
PROGRESS_SECONDS = 1.0
"""progress.json is replaced at most once in so many seconds."""


def resume(folder: Path) -> list[Row]:
    """Cut metrics.jsonl back to what the checkpoints have seen, and return those rows.

    Each checkpoint knows how many rows of its scope had been written; what came later will be
    written again by the run that continues, bit for bit.
    """
    seen = {scope: rows for scope, (_, rows) in checkpoints(folder).items()}
    kept, counts = [], Counter()
    for row in store.read_rows(folder / "metrics.jsonl"):
        scope = row.get("scope", "")
        counts[scope] += 1
        if counts[scope] <= seen.get(scope, 0):
            kept.append(row)
    text = "".join(json.dumps(row) + "\n" for row in kept)
    store.write_whole(folder / "metrics.jsonl", lambda part: part.write_text(text))
    return kept


def checkpoints(folder: Path) -> dict[str, tuple[int, int]]:
    """scope -> (step, rows written before it) of every readable checkpoint."""
    found = {}
    for path in folder.glob("checkpoint*.npz"):
        try:
            with np.load(path) as saved:
                found[str(saved["scope"])] = int(saved["step"]), int(saved["rows"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            path.unlink()  # garbage cannot be resumed from; the scope starts anew
    return found


class DiskJournal:
    """What is open while a run lasts: the row file, the clock and the checkpoint clock.

    (The one object with memory in feedrun: it stands for the outside world. Parts of a run in
    threads, see `train.threads`, take turns with it.)
    """

    def __init__(
        self,
        folder: Path,
        rows: list[Row],
        *,
        every: float,
        mirror: Callable[[Row], None],
        show: Callable[[str, int, int, Mapping[str, Any]], None],
    ):
        self.folder, self.every, self.mirror, self.show = folder, every, mirror, show
        self.counts = Counter(row.get("scope", "") for row in rows)
        self.elapsed = max((row["time"] for row in rows), default=0.0)
        self.started = time.monotonic() - self.elapsed
        self.lock = threading.RLock()
        self.opened = time.monotonic()
        self.saved_at: dict[str, float] = {}
        self.last_step: dict[str, int] = {}
        self.first_seen: dict[str, tuple[int, float]] = {}
        self.told_at = 0.0
        self.file = open(folder / "metrics.jsonl", "a")  # noqa: SIM115 (lives as long as the run)

    def close(self) -> None:
        self.file.close()
        (self.folder / "progress.json").unlink(missing_ok=True)

    def journal(self, scope: str = "") -> Journal:
        """The Journal that an experiment sees, for one scope."""
        prefix = f"{scope}/" if scope else ""
        alone = self._alone
        return Journal(
            log=lambda step, metrics: alone(self.log, scope, int(step), metrics),
            progress=lambda done, total, metrics=None: alone(
                self.progress, scope, int(done), int(total), metrics or {}
            ),
            save=lambda step, state, final=False: alone(self.save, scope, int(step), state, final),
            restore=lambda like: alone(self.restore, scope, like),
            scope=lambda name: self.journal(prefix + name),
        )

    def _alone(self, act: Callable[..., Any], *given: Any) -> Any:
        """Whatever is done to the record, one thread at a time."""
        with self.lock:
            return act(*given)

    def progress(self, scope: str, done: int, total: int, metrics: Mapping[str, Any]) -> None:
        """Show it, and now and then leave it in progress.json for whoever looks from outside."""
        self.show(scope, done, total, metrics)
        now = time.monotonic()
        before, since = self.first_seen.setdefault(scope, (done, now))
        if now - self.told_at < PROGRESS_SECONDS:
            return
        self.told_at = now
        rate = (done - before) / (now - since) if now > since else 0.0
        left = (total - done) / rate if rate > 0 else None
        told = {"scope": scope, "done": done, "total": total, "rate": rate, "left": left}
        store.write_json(self.folder / "progress.json", told)

    def log(self, scope: str, step: int, metrics: Mapping[str, Any]) -> None:
        """Write one row, then hand it on. Raises FloatingPointError on a non-finite number."""
        prefix = f"{scope}/" if scope else ""
        values = {prefix + k: finite(prefix + k, step, v) for k, v in metrics.items()}
        row = {"step": step, "time": round(time.monotonic() - self.started, 3)}
        row |= ({"scope": scope} if scope else {}) | values
        self.file.write(json.dumps(row, allow_nan=False) + "\n")
        self.file.flush()
        self.counts[scope] += 1
        self.last_step[scope] = step
        self.mirror(row)

    def save(self, scope: str, step: int, state: Any, final: bool) -> bool:
        """Checkpoint a scope's `state` unless its last is younger than `every` seconds; did it?"""
        now = time.monotonic()
        due = final or now - self.saved_at.get(scope, self.opened) >= self.every
        if not collectives.share(b"due" if due else b""):
            return False
        leaves = whole(state)
        about = {"step": step, "rows": self.counts[scope], "scope": scope}
        store.write_arrays(self._path(scope), about | leaves)
        self.saved_at[scope] = now
        return True

    def restore(self, scope: str, like: Any) -> tuple[int, Any] | None:
        """The scope's last (step, state), or None. Raises ValueError where it does not fit."""
        path = self._path(scope)
        return restored(collectives.share(path.read_bytes() if path.exists() else b""), like)

    def _path(self, scope: str) -> Path:
        name = f"checkpoint-{scope.replace('/', '-')}.npz" if scope else "checkpoint.npz"
        return self.folder / name


def follower() -> Journal:
    """The journal of a process beside process 0: it keeps nothing, and restores what 0 has."""

    def log(step: int, metrics: Mapping[str, Any]) -> None:
        for name, value in metrics.items():
            finite(name, step, value)

    def save(step: int, state: Any, final: bool = False) -> bool:
        if due := bool(collectives.share()):
            whole(state)
        return due

    return silent_journal(log)._replace(
        save=save,
        restore=lambda like: restored(collectives.share(), like),
        scope=lambda name: follower(),
    )


def whole(state: Any) -> dict[str, np.ndarray]:
    """The leaves of a state as a checkpoint holds them."""
    import jax

    return {f"leaf{i}": to_numpy(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}


def restored(saved: bytes, like: Any) -> tuple[int, Any] | None:
    """(step, state) of a checkpoint's bytes, None of none. Raises ValueError where it misfits."""
    if not saved:
        return None
    import jax

    leaves, tree = jax.tree.flatten(like)
    with np.load(io.BytesIO(saved)) as found:
        if f"leaf{len(leaves)}" in found or (leaves and f"leaf{len(leaves) - 1}" not in found):
            raise ValueError("the checkpoint holds another state; force=true starts anew")
        values = [from_numpy(found[f"leaf{i}"], x) for i, x in enumerate(leaves)]
        return int(found["step"]), jax.tree.unflatten(tree, values)


def finite(name: str, step: int, value: Any) -> Any:
    """The number, or list of one a repeat, as JSON holds it; FloatingPointError on NaN or inf."""
    array = np.asarray(value, float)
    if not np.isfinite(array).all():
        raise FloatingPointError(f"{name} is {value} at step {step}")
    return array.tolist()


def to_numpy(leaf: Any) -> np.ndarray:
    """A checkpoint leaf as numpy; typed keys become their bits."""
    import jax

    return collectives.whole(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def from_numpy(saved: np.ndarray, like: Any) -> Any:
    """Undo `to_numpy` after a leaf of the same kind."""
    import jax

    if _is_key(like):
        bits = jax.numpy.asarray(saved)
        return jax.random.wrap_key_data(bits, impl=jax.random.key_impl(like))
    if saved.shape != np.shape(like):
        raise ValueError(f"a checkpoint holds shape {saved.shape} where {np.shape(like)} is needed")
    if saved.dtype.kind == "V":  # numpy has no name for bfloat16
        saved = saved.view(like.dtype)
    return jax.numpy.asarray(saved) if isinstance(like, jax.Array) else saved


def _is_key(leaf: Any) -> bool:
    import jax

    return jax.numpy.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.prng_key)
