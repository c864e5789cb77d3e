"""`python -m scripts.bench`: every case and gate; `... compare a.json b.json`: two runs' ratios.

--quick takes under a minute and times only what a gate names; without it under ten minutes. The
JSON goes to outputs/bench/ unless --json says where. Exit code 1: a contestant of ours was wrong
or, with --check, a gate was missed on an undisturbed machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from feedrun.runtime import setup as process

GROUPS = (
    "curvature", "kalman", "selective_scan", "attention", "lra_data",
    "cold_start", "learning_rates", "loop", "sweep", "seeds", "records", "pages",
)  # fmt: skip

FORMERLY: dict[str, str] = {
    "w1": "curvature", "w2_oracle": "kalman", "w2_scan": "selective_scan", "w3": "attention",
    "s1": "cold_start", "s2": "learning_rates", "s3": "loop", "s4": "sweep", "s5": "seeds",
}  # fmt: skip
"""What recorded commands call groups by."""


def main(words: list[str]) -> int:
    """Run or compare; returns the exit code."""
    if words[:1] == ["compare"]:
        return _compare(words[1:])
    asked = _arguments().parse_args(words)
    setup = process.setup(
        cache=False,  # what compiling costs is one of the things measured
        devices=1 if asked.no_tuning else "auto",
        malloc=not asked.no_tuning,
        precision="highest",
    )
    report = _measure(asked, setup)
    path = asked.json or _path(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, allow_nan=False))
    print(f"written to {path}")
    return _exit_code(report, check=asked.check)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="under a minute: gated rows only")
    parser.add_argument("--rounds", type=int, help="rounds a case (quick 3, else 7)")
    parser.add_argument("--seed", type=int, default=0, help="of the random inputs")
    parser.add_argument("--peers", choices=("auto", "none"), default="auto")
    parser.add_argument("--no-tuning", action="store_true", help="plain malloc, one host device")
    parser.add_argument("--check", action="store_true", help="a missed gate exits 1")
    parser.add_argument("--json", type=Path, help="where to write every number")
    return parser


def _measure(asked: argparse.Namespace, setup: dict[str, Any]) -> dict[str, Any]:
    """Measure and print case by case; returns the report."""
    import importlib

    from scripts.bench import ceilings, machine, table
    from scripts.bench.case import reduced
    from scripts.bench.measure import run_case

    words: list[str] = asked.groups
    groups = [FORMERLY.get(word, word) for word in words]
    if unknown := set(groups) - set(GROUPS):
        sys.exit(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    start = time.time()
    best, outcomes = ceilings.measure(), []
    print("ceilings: " + ", ".join(f"{name} {value:.3g}" for name, value in best.items()))
    for group in groups or GROUPS:
        for case in importlib.import_module(f"scripts.bench.{group}").cases():
            case = reduced(case, quick=asked.quick, peers=asked.peers == "auto")
            rounds = asked.rounds or (3 if asked.quick else 7)
            outcomes.append(run_case(case, rounds=rounds, seed=asked.seed, retry=not asked.quick))
            print("\n" + "\n".join(table.lines(outcomes[-1])), flush=True)
    return {
        "command": " ".join(
            ["python -m scripts.bench", *(w for w in sys.argv[1:] if "json" not in w)]
        ),
        "machine": machine.describe(setup),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start)),
        "seconds": round(time.time() - start, 1),
        "ceilings": best,
        "cases": [table.plain(outcome) for outcome in outcomes],
    }


def _path(report: dict[str, Any]) -> Path:
    name = f"{report['started'].replace(':', '')}-{report['machine']['commit']}.json"
    return Path("outputs") / "bench" / name


def _exit_code(report: dict[str, Any], *, check: bool) -> int:
    wrong = any(next(iter(c["rows"].values()))["status"] in ("BAD", "failed")
                for c in report["cases"])  # fmt: skip
    missed = any("missed" in case["gates"].values() for case in report["cases"])
    return int(wrong or (check and missed))


def _compare(paths: list[str]) -> int:
    from scripts.bench import table

    if len(paths) != 2:
        sys.exit("compare takes two JSON files: before, after")
    before, after = (json.loads(Path(path).read_text()) for path in paths)
    print("\n".join(table.compare(before, after)))
    return 0


if __name__ == "__main__":
    if "--no-tuning" not in sys.argv:
        process.restart()
    sys.exit(main(sys.argv[1:]))
