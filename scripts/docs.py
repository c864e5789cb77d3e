"""Publish records under docs/records/ and fill in the generated parts of README.md and docs/.

    python -m scripts.docs                    newest complete laptop record of each experiment
    python -m scripts.docs outputs/a/1 ...    these records, or sweeps (outputs/sweeps/NAME)
    python -m scripts.docs --check            change nothing; exit 1 where a page is out of date

A page says where a record speaks, `<!-- KIND WORDS -->...<!-- end -->`:
    verdicts NAME                    how it was made, and its claims as a table
    answers NAME CLAIM NAME CLAIM .. these claims alone, as a table
    value NAME METRIC                one number with its interval, within a sentence
    setting NAME KEY                 one value of its config
    papers                           all papers with their experiments and tallies
    experiments PAPER                the same of one paper
    table SWEEP                      how a sweep was made, and its results table
    cell SWEEP METRIC KEY=VALUE ..   one number of a sweep (see `scripts.docs_sweeps`)
    range SWEEP METRIC KEY=VALUE ..  the least and the greatest of several
    difference SWEEP METRIC KEY=A:B  A less B, paired
    bench NAME                       records/bench/NAME.json, what a benchmark measured
    published NAME METRIC KEY=VALUE  a number that the paper printed (published.yaml)
    file PATH                        a file of the repository, as code
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from feedrun.cli import feed
from feedrun.records import store
from scripts import docs_blocks, docs_sweeps
from scripts.docs_blocks import RECORDS, ROOT

KEPT = ("id", "experiment", "paper", "scale", "seed", "target", "config", "code", "versions",
        "device", "machine", "x64", "started", "resumed")  # fmt: skip
HARMLESS = ("experiment=", "force=", "quiet=", "wandb=")
KINDS = docs_blocks.KINDS | {
    "table": lambda page, name: docs_sweeps.sweep_table(RECORDS / name),
    "bench": lambda page, name: docs_sweeps.bench(RECORDS / "bench" / f"{name}.json"),
    "cell": lambda page, name, *words: docs_sweeps.cell(RECORDS / name, *words),
    "range": lambda page, name, *words: docs_sweeps.extremes(RECORDS / name, *words),
    "difference": lambda page, name, *words: docs_sweeps.difference(RECORDS / name, *words),
}
"""Kind of a block -> function of the page it stands on and its words, to what stands in it."""

BLOCK = re.compile(rf"<!-- ({'|'.join(KINDS)})( [^>]*?)? -->(.*?)<!-- end -->", re.DOTALL)


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
    stale = [_words(folder, check=arguments.check) for folder in docs_blocks.recorded()]
    return max([0, *stale, *(_page(page, check=arguments.check) for page in pages())])


def _words(folder: Path, *, check: bool) -> int:
    """Give the claims of a published record the words that the code has now; numbers stay."""
    path = folder / "claims.json"
    now = docs_blocks.published(folder.name).claims
    if store.read_json(path) == now:
        return 0
    print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
    if not check:
        store.write_json(path, now)
    return int(check)


def _page(page: Path, *, check: bool) -> int:
    """Render one page, or see whether it is up to date."""
    try:
        text = rendered(page)
    except (ValueError, OSError) as error:
        print(f"{page.relative_to(ROOT)}: {error}")
        return 1
    if text == page.read_text():
        return 0
    print(f"{'out of date' if check else 'written'}: {page.relative_to(ROOT)}")
    if not check:
        page.write_text(text)
    return int(check)


def pages() -> list[Path]:
    """Every page that a record may speak on: README, docs/ and its folders."""
    return [ROOT / "README.md", *docs_blocks.pages()]


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
    """The page with every generated part written anew. Raises ValueError where one cannot be."""
    return BLOCK.sub(lambda found: _block(page, found), page.read_text())


def _block(page: Path, found: re.Match[str]) -> str:
    kind, words = found[1], found[2] or ""
    text = KINDS[kind](page, *words.split())
    return f"<!-- {kind}{words} -->{text}<!-- end -->"


def typed(page: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page that somebody typed: without generated parts, code and link targets."""
    text = BLOCK.sub(lambda found: "\n" * found[0].count("\n"), page.read_text())
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        inside ^= line.startswith("```")
        if not inside:
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", line)


if __name__ == "__main__":
    sys.exit(main())
