"""Sweeps and benchmarks as docs/records/ keeps them, and the tables that docs show of them."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from feedrun.analysis import groups
from feedrun.experiment import estimate
from feedrun.records import store, sweeps
from feedrun.report import verdicts
from feedrun.report.results import results_markdown
from scripts.bench import table as bench_table
from scripts.bench.measure import spread

Tree = Mapping[str, Any]


def publish(folder: Path, records: Path, kept: Sequence[str]) -> None:
    """Write records/<sweep name>/: the finished runs' `kept` fields and shown metrics, figures."""
    found = sweeps.read(folder)
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


@lru_cache
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
        f"{len(runs)} of {content['jobs']} runs, {sweeps.duration(hours)} of work on one core each",
        f"code {(run['code']['sha'] or 'unknown')[:8]}{dirty}",
        f"jax {run['versions']['jax']}",
        run["started"][:10],
    ]
    return f"\n\n{'; '.join(parts)}.\n\n{results_markdown(runs, content['table'])}\n\n"


def cell(place: Path, metric: str, *where: str) -> str:
    """What the table shows of a metric for runs that fit `where`: all of one row.

    KEY=PATTERN is a config key (or its last part) and what its value must be: '*' is allowed, a
    comma separates alternatives, and a leading '!' turns all round.
    """
    found = _fitting(place, metric, where)
    rows = {json.dumps(run.run["config"], sort_keys=True) for run in found}
    if len(rows) != 1:
        raise ValueError(f"{place.name}: {len(rows)} rows fit {' '.join(where)}; one should")
    (own,) = groups.cells(found, [metric])
    assert own is not None  # every run that fits has the metric
    return verdicts.interval(own.value, own.low, own.high)


def extremes(place: Path, metric: str, *where: str) -> str:
    """'0.118 to 0.142': the least and the greatest of the runs that fit `where` (see `cell`)."""
    values = [groups.middle(run.summary[metric]) for run in _fitting(place, metric, where)]
    return f"{min(values):.3g} to {max(values):.3g}"


def difference(place: Path, metric: str, *where: str) -> str:
    """Mean of paired differences: `where` has one KEY=A:B, and patterns for other keys.

    Runs are paired by all other keys, their repeats by number; over several pairs repeats are
    averaged first, as in the figures of a sweep.
    """
    (pair,) = (word for word in where if ":" in word)
    key, both = pair.split("=", 1)
    rest = [word for word in where if word != pair]
    first, second = (
        {_elsewhere(run, key): run.summary[metric] for run in _fitting(place, metric, words)}
        for words in ([f"{key}={name}", *rest] for name in both.split(":"))
    )
    if not first.keys() & second.keys():
        raise ValueError(f"{place.name}: no two runs to pair for {' '.join(where)}")
    apart = [np.subtract(first[other], second[other]) for other in first if other in second]
    value, low, high, _ = estimate(np.mean(apart, axis=0).tolist())
    return verdicts.interval(value, low, high)


def _elsewhere(run: store.Record, key: str) -> str:
    """All of a run's config but one key, as a word."""
    config = groups.config(run) | {"seed": run.run["seed"]}
    return json.dumps({k: v for k, v in config.items() if k != groups.full(key, config)})


def _fitting(place: Path, metric: str, where: Sequence[str]) -> list[store.Record]:
    """The published runs that measured `metric` and fit `where`. Raises ValueError for none."""
    asked = [word.split("=", 1) for word in where]
    found = [
        run
        for run in load(place)[1]
        if metric in run.summary and all(_fits(run, key, pattern) for key, pattern in asked)
    ]
    if not found:
        raise ValueError(f"{place.name}: no run with {metric} fits {' '.join(where)}")
    return found


def _fits(run: store.Record, key: str, pattern: str) -> bool:
    config = groups.config(run)
    text = groups.text(config.get(groups.full(key, config)))
    fits = any(fnmatchcase(text, one) for one in pattern.removeprefix("!").split(","))
    return fits != pattern.startswith("!")


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
    title = re.sub(r"^([A-Z]\.?\d|lra_data) ", "", case["name"])  # without the name of its script
    for name, row in case["rows"].items():
        theirs = row["seconds"]
        median = bench_table.time(spread(theirs).median) if theirs else row["status"]
        ratio = (
            f"{verdicts.number(spread(theirs).median / spread(ours).median)}x"
            if theirs and lines
            else ""
        )
        first = [title, load, gates] if not lines else ["", "", ""]
        lines.append(f"| {first[0]} | {name} | {median} | {ratio} | {first[1]} | {first[2]} |")
    return lines
