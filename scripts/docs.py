"""Publish records under docs/records/ and fill in the generated parts of README.md and docs/*.md.

    python -m scripts.docs                    newest complete laptop record of each experiment
    python -m scripts.docs outputs/a/1 ...    these records, or sweeps (outputs/sweeps/NAME)
    python -m scripts.docs --check            change nothing; exit 1 where a page is out of date

A page says where a record speaks:
    <!-- verdicts NAME -->...<!-- end -->       how it was made, and its claims as a table
    <!-- value NAME METRIC -->...<!-- end -->   one number with its interval, within a sentence
    <!-- papers -->...<!-- end -->              all papers with their experiments and tallies
    <!-- table NAME -->...<!-- end -->          how a sweep was made, and its results table
    <!-- bench NAME -->...<!-- end -->          records/bench/NAME.json, what a benchmark measured
"""

import argparse
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feedrun import feed, report, store
from feedrun.experiment import estimate
from scripts import docs_sweeps

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RECORDS = DOCS / "records"
KEPT = ("id", "experiment", "paper", "scale", "seed", "target", "config", "code", "versions",
        "device", "machine", "x64", "started", "resumed")  # fmt: skip
HARMLESS = ("experiment=", "force=", "quiet=", "wandb=")
BLOCK = re.compile(
    r"<!-- (verdicts|value|papers|table|bench)([^>]*?) -->(.*?)<!-- end -->", re.DOTALL
)


def main() -> int:
    """Publish, then render; or only check. Exit code 1 where a page lacks a record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("records", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if not arguments.check:
        for folder in arguments.records or newest(ROOT / "outputs"):
            if (folder / "sweep.json").exists():
                docs_sweeps.publish(folder, RECORDS, KEPT)
            else:
                publish(store.load(folder))
    return max([0, *(_page(page, check=arguments.check) for page in pages())])


def _page(page: Path, *, check: bool) -> int:
    """Render one page, or see whether it is up to date."""
    try:
        text = rendered(page)
    except ValueError as error:
        print(f"{page.relative_to(ROOT)}: {error}")
        return 1
    if text == page.read_text():
        return 0
    print(f"{'out of date' if check else 'written'}: {page.relative_to(ROOT)}")
    if not check:
        page.write_text(text)
    return int(check)


def pages() -> list[Path]:
    """Every page that a record may speak on."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def newest(outputs: Path) -> list[Path]:
    """The newest complete laptop-scale record of each experiment in configs/, seed 0."""
    known = {entry.name for entry in feed.entries([ROOT / "configs"])}
    found = {}
    for record in store.records(outputs):
        run = record.run
        changed = [word for word in run["overrides"] if not word.startswith(HARMLESS)]
        laptop = run["scale"] == "laptop" and run["seed"] == 0 and not changed
        if record.state == "complete" and run["experiment"] in known and laptop:
            found[run["experiment"]] = record.folder
    return list(found.values())


def publish(record: store.Record) -> None:
    """Copy what a reader needs of a record, without any path of the machine that made it."""
    folder = RECORDS / record.run["experiment"]
    if folder.resolve() == record.folder.resolve():
        raise SystemExit(f"{record.folder} is published already")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(record.folder / "figures", folder / "figures")
    store.write_json(folder / "run.json", {key: record.run[key] for key in KEPT})
    for name in ("claims.json", "summary.json"):
        shutil.copy(record.folder / name, folder / name)


def rendered(page: Path) -> str:
    """The page with every generated part written anew."""
    return BLOCK.sub(_render, page.read_text())


def _render(found: re.Match[str]) -> str:
    kind, words = found[1], found[2].split()
    text = {
        "verdicts": verdicts,
        "value": value,
        "papers": papers,
        "table": lambda name: docs_sweeps.sweep_table(RECORDS / name),
        "bench": lambda name: docs_sweeps.bench(RECORDS / "bench" / f"{name}.json"),
    }[kind](*words)
    return f"<!-- {kind}{found[2]} -->{text}<!-- end -->"


def published(name: str) -> store.Record:
    """The record under docs/records/."""
    return store.load(RECORDS / name)


def verdicts(name: str) -> str:
    """How the record was made, and its claims."""
    record = published(name)
    return f"\n\n{provenance(record)}\n\n{report.markdown(record.claims)}\n\n"


def provenance(record: store.Record) -> str:
    """Command, size, machine, code and versions in one line."""
    run, minutes = record.run, record.seconds / 60
    code = (run["code"]["sha"] or "unknown")[:8] + (" with changes" if run["code"]["dirty"] else "")
    parts = [
        f"`feedrun experiment={run['experiment']}`",
        f"scale {run['scale']}, seed {run['seed']}",
        f"{minutes:.1f} minutes on {run['machine']['cores']} {run['device']['kind']} cores",
        f"code {code}",
        f"jax {run['versions']['jax']}",
        run["started"][:10],
    ]
    return "; ".join(parts) + f". **{report.tally(record.claims)}.**"


def value(name: str, metric: str) -> str:
    """One summary value with its interval."""
    summary = published(name).summary
    if metric not in summary:
        raise SystemExit(f"docs name {metric}, which {name} does not measure")
    middle, low, high, _ = estimate(_thawed(summary[metric]))
    return report.measured({"value": middle, "low": low, "high": high})


def _thawed(stored: Any) -> Any:
    from feedrun.experiment import Estimate

    return Estimate(**stored) if isinstance(stored, Mapping) else stored


def papers() -> str:
    """The table of papers with the current verdicts."""
    lines = [
        "| paper | experiment | question | verdicts of the recorded run |",
        "|---|---|---|---|",
    ]
    entries = list(feed.entries([ROOT / "configs"]))
    for paper in feed.paper_list():
        title = f"{paper.short} ([{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv}))"
        own = [entry for entry in entries if entry.about.get("paper") == paper.name]
        if not own:
            lines.append(f"| {title} | none yet | | |")
        for entry in own:
            tally = report.tally(published(entry.name).claims)
            page = f"[{tally}](docs/{paper.name}.md)"
            lines.append(f"| {title} | `{entry.name}` | {entry.about['question']} | {page} |")
    return "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
