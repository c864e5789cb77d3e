"""Records as runs leave them, made in a moment: for the tests of what reads records."""

from pathlib import Path

from feedrun.records import store, sweeps

CLAIM = {
    "name": "small", "statement": "the error stays small", "source": "Thm 1", "origin": "paper",
    "metric": "error", "expected_low": None, "expected_high": 0.5,
    "value": 0.1, "low": 0.1, "high": 0.1, "n": 1, "verdict": "holds",
}  # fmt: skip


def record(
    outputs: Path, *, id: str, experiment="made", config=None, seed=0, summary=None, claims=None,
    notes=None, scale="laptop", state="complete", minute=0, **more,
) -> Path:  # fmt: skip
    """Write one record; `minute` sets its start, `more` goes into run.json."""
    folder = outputs / experiment / id
    folder.mkdir(parents=True)
    run = {
        "id": id, "experiment": experiment, "paper": "made_up", "scale": scale, "seed": seed,
        "target": "made.EXPERIMENT", "config": config or {"steps": 10}, "overrides": [],
        "sweep": None, "code": {"sha": "0123456789abcdef", "dirty": False},
        "versions": {"python": "3.11.7", "jax": "0.10.2"},
        "device": {"platform": "cpu", "kind": "cpu", "count": 2},
        "machine": {"system": "Linux", "cores": 2}, "x64": False,
        "started": f"2026-11-01T{minute // 60:02d}:{minute % 60:02d}:00+00:00", "resumed": [],
    }  # fmt: skip
    store.write_json(folder / "run.json", run | more)
    if state == "failed":
        failure = {"error": "RuntimeError: it broke\nat length", "traceback": "", "when": ""}
        store.write_json(folder / "failure.json", failure)
    if state == "complete":
        claims = [CLAIM] if claims is None else claims
        store.write_json(folder / "claims.json", claims)
        end = {"summary": summary or {"error": 0.1}, "notes": notes or {}, "seconds": 12.5}
        store.write_json(folder / "summary.json", end)
    return folder


def grid(outputs: Path, *, table=None, seeds=range(3), sizes=(16, 32), name="grid") -> Path:
    """A sweep over sizes and seeds with all its records; the folder of the sweep."""
    jobs = []
    for minute, (size, seed) in enumerate((size, seed) for size in sizes for seed in seeds):
        id, error = f"{size:04d}{seed:08d}", 4 / size + 0.01 * seed
        summary = {"error": error, "order": [1.0, 2.0, 3.0 + seed]}
        claims = [CLAIM | {"value": error, "low": error, "high": error}]
        config = {"size": size, "deep": {"rate": 0.5}}
        folder = record(
            outputs, id=id, config=config, seed=seed, minute=minute, summary=summary, claims=claims
        )
        jobs.append(sweeps.Job(id, "made", folder, {"size": size, "seed": seed}))
    one = sweeps.Sweep(outputs / "sweeps" / f"{name}-1234", name, ["sweep=grid"], jobs, table)
    sweeps.write(one)
    return one.folder
