"""Sweeps and benchmarks as docs/records/ keeps them, and the tables that docs show of them."""

import json
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from feedrun import report, store, sweep
from feedrun.resultgrid import results_markdown
from scripts.bench import table as bench_table
from scripts.bench.measure import spread

Tree = Mapping[str, Any]


def publish(folder: Path, records: Path, kept: Sequence[str]) -> None:
    """Write records/<sweep name>/: the finished runs' `kept` fields and shown metrics, figures."""
    found = sweep.read(folder)
    runs = [store.load(job.folder) for job in found.jobs if store.finished(job.folder)]
    shown = (found.table or {}).get("show", ["*"])
    fields = [{key: record.run[key] for key in kept} for record in runs]
    same = shared(fields)
    content = {
        "name": found.name,
        "table": found.table,
        "jobs": len(found.jobs),
        "shared": same,
        "runs": [
            {
                "run": apart(own, same),
                "seconds": record.seconds,
                "summary": {
                    name: value
                    for name, value in record.summary.items()
                    if any(fnmatchcase(name, pattern) for pattern in shown)
                },
            }
            for own, record in zip(fields, runs, strict=True)
        ],
    }
    place = records / found.name
    shutil.rmtree(place, ignore_errors=True)
    if (folder / "figures").exists():
        shutil.copytree(folder / "figures", place / "figures")
    place.mkdir(parents=True, exist_ok=True)
    (place / "runs.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


def shared(trees: Sequence[Tree]) -> dict[str, Any]:
    """What is the same in all of these nested mappings."""
    same = {}
    for key, value in trees[0].items():
        others = [tree.get(key) for tree in trees]
        if all(isinstance(other, Mapping) for other in others):
            same |= {key: below} if (below := shared(others)) else {}  # pyright: ignore[reportArgumentType]
        elif all(other == value for other in others):
            same[key] = value
    return same


def apart(tree: Tree, same: Tree) -> dict[str, Any]:
    """What a nested mapping has beside `same`."""
    own = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            own |= {key: below} if (below := apart(value, same.get(key, {}))) else {}
        elif key not in same:
            own[key] = value
    return own


def joined(same: Tree, own: Tree) -> dict[str, Any]:
    """Undo `apart`."""
    both = dict(same)
    for key, value in own.items():
        nested = isinstance(value, Mapping)
        both[key] = joined(same.get(key, {}), value) if nested else value
    return both


def load(place: Path) -> tuple[dict[str, Any], list[store.Record]]:
    """A published sweep: what its file says, and its runs as records."""
    content = store.read_json(place / "runs.json")
    runs = [
        store.Record(
            place, joined(content["shared"], one["run"]), "complete", one["summary"], [], {},
            one["seconds"],
        )
        for one in content["runs"]
    ]  # fmt: skip
    return content, runs


def sweep_table(place: Path) -> str:
    """How a sweep was made, and its results table."""
    content, runs = load(place)
    run, hours = runs[0].run, sum(record.seconds for record in runs)
    dirty = " with changes" if any(record.run["code"]["dirty"] for record in runs) else ""
    parts = [
        f"`feedrun sweep={content['name']}`",
        f"scale {run['scale']}",
        f"{len(runs)} of {content['jobs']} runs, {sweep.duration(hours)} of work on one core each",
        f"code {(run['code']['sha'] or 'unknown')[:8]}{dirty}",
        f"jax {run['versions']['jax']}",
        run["started"][:10],
    ]
    return f"\n\n{'; '.join(parts)}.\n\n{results_markdown(runs, content['table'])}\n\n"


def bench(path: Path) -> str:
    """The cases of a benchmark's JSON file as a table."""
    found = store.read_json(path)
    machine = found["machine"]
    processor, cores = machine["processor"]["model"], machine["cores"]
    about = (
        f"{processor}, {cores} cores, jax {machine['versions']['jax']}, code {machine['commit']}"
    )
    lines = [
        "| case | who | median | ratio to ours | other load | gate |",
        "|---|---|---|---|---|---|",
    ]
    for case in found["cases"]:
        lines += _case(case)
    return (
        f"\n\n`{found['command']}` on {about}, {found['started'][:10]}:\n\n"
        + "\n".join(lines)
        + "\n\n"
    )


def _case(case: Tree) -> list[str]:
    """A case's rows: its own name and gates stand beside the first."""
    lines, ours = [], next(iter(case["rows"].values()))["seconds"]
    gates = "; ".join(f"{words}: {verdict}" for words, verdict in case["gates"].items())
    load = f"{case['load']:.0%}" if case["load"] is not None else ""
    for name, row in case["rows"].items():
        theirs = row["seconds"]
        median = bench_table.time(spread(theirs).median) if theirs else row["status"]
        ratio = (
            f"{report.number(spread(theirs).median / spread(ours).median)}x"
            if theirs and lines
            else ""
        )
        first = [case["name"], load, gates] if not lines else ["", "", ""]
        lines.append(f"| {first[0]} | {name} | {median} | {ratio} | {first[1]} | {first[2]} |")
    return lines
