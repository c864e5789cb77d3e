"""What single records, papers and files say on a page of docs/; `scripts.docs` lists the kinds."""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from feedrun.analysis import groups
from feedrun.analysis.published import Number
from feedrun.analysis.published import published as printed_by
from feedrun.cli import claims as claimed
from feedrun.cli import feed
from feedrun.experiment import Claim, Estimate, estimate
from feedrun.records import store
from feedrun.report import verdicts as report

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RECORDS = DOCS / "records"


def pages() -> list[Path]:
    """All pages under docs/; records are none."""
    return sorted(page for page in DOCS.rglob("*.md") if RECORDS not in page.parents)


def recorded() -> list[Path]:
    """The folders of all published records of one run; those of sweeps have no claims."""
    return sorted(path.parent for path in RECORDS.glob("*/claims.json"))


@lru_cache
def published(name: str) -> store.Record:
    """The record under docs/records/, its claims in the words that the code has now.

    Raises ValueError where there is none.
    """
    if not (RECORDS / name).exists():
        raise ValueError(f"no record docs/records/{name}")
    record = store.load(RECORDS / name)
    own = {claim.name: claim for claim in claims(name)}
    return record._replace(claims=[_worded(row, own.get(row["name"])) for row in record.claims])


@lru_cache
def claims(name: str) -> tuple[Claim, ...]:
    """The claims of an experiment in configs/."""
    content = yaml.safe_load((ROOT / "configs" / "experiment" / f"{name}.yaml").read_text())
    return claimed.claims(content["_target_"])


def _worded(row: Mapping[str, Any], claim: Claim | None) -> Mapping[str, Any]:
    return row if claim is None else {**row, "statement": claim.statement, "source": claim.source}


def verdicts(page: Path, name: str) -> str:
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


def answers(page: Path, *words: str) -> str:
    """Claims picked from records, `words` alternately an experiment and a claim, as a table."""
    lines = [
        "| verdict | claim | expected | measured (95%) | experiment |",
        "|---|---|---|---|---|",
    ]
    for name, claim in zip(words[::2], words[1::2], strict=True):
        rows = {row["name"]: row for row in published(name).claims}
        if claim not in rows:
            raise ValueError(f"{name} has no claim {claim}")
        row = rows[claim]
        statement = row["statement"].replace("|", "\\|")
        if row["origin"] == "rival" and not statement.startswith("rival"):
            statement = f"rival: {statement}"
        cells = [f"**{row['verdict']}**", statement, report.expected(row), report.measured(row)]
        lines.append(f"| {' | '.join(cells)} | [{name}]({link(page, page_of(name))}) |")
    return "\n\n" + "\n".join(lines) + "\n\n"


def value(page: Path, name: str, metric: str) -> str:
    """One summary value with its interval."""
    summary = published(name).summary
    if metric not in summary:
        raise ValueError(f"{name} does not measure {metric}")
    return number(_thawed(summary[metric]))


def number(measured: Any) -> str:
    """'1.2 [1.1, 1.3]': a summary value (a number, its repeats, an estimate) in words."""
    middle, low, high, _ = estimate(measured)
    return report.measured({"value": middle, "low": low, "high": high})


def _thawed(stored: Any) -> Any:
    return Estimate(**stored) if isinstance(stored, Mapping) else stored


def setting(page: Path, name: str, key: str) -> str:
    """One value of a record's config, or else of its notes, `key` dotted; a list gets commas."""
    record = published(name)
    for tree in (record.run["config"], record.notes):
        found = groups.flat(tree).get(key)
        if found is not None:
            return ", ".join(map(_plain, found)) if isinstance(found, list) else _plain(found)
    raise ValueError(f"neither config nor notes of {name} have a key {key}")


def _plain(one: Any) -> str:
    if isinstance(one, float):
        return f"{one:,.6g}"
    return f"{one:,}" if isinstance(one, int) else str(one)


def printed(page: Path, name: str, metric: str, *where: str) -> str:
    """What a paper printed beside a metric of this experiment; `where` picks among several.

    KEY=VALUE is a config key, and source=TEXT a part of the source.
    """
    record = published(name)
    numbers = [one for one in _printed_by(record.run["paper"]) if one.experiment == name]
    asked = dict(word.split("=", 1) for word in where)
    part = asked.pop("source", "").replace("_", " ")
    fits = [
        one
        for one in numbers
        if one.metric == metric
        and part in one.source
        and all(str(one.where.get(key)) == value for key, value in asked.items())
    ]
    if len(fits) != 1:
        raise ValueError(f"{len(fits)} published numbers fit {name} {metric} {' '.join(where)}")
    return _printed(fits[0])


@lru_cache
def _printed_by(paper: str) -> list[Number]:
    return printed_by(paper).all()


def _printed(one: Number) -> str:
    if one.value is None:
        return f"{report.number(one.low)} to {report.number(one.high)}"
    return report.number(one.value)


def papers(page: Path) -> str:
    """The table of papers with the current verdicts."""
    lines = [
        "| paper | experiment | question | verdicts of the recorded run |",
        "|---|---|---|---|",
    ]
    for paper in feed.paper_list():
        title = paper.short
        front = DOCS / paper.name / "index.md"
        if front.exists():
            title = f"[{paper.short}]({link(page, front)})"
        title += f" ([{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv}))"
        rows = _rows(page, paper.name)
        lines += [f"| {title} | none yet | | |"] if not rows else []
        lines += [f"| {title if place == 0 else ''} {row}" for place, row in enumerate(rows)]
    return "\n" + "\n".join(lines) + "\n"


def experiments(page: Path, paper: str) -> str:
    """The experiments of one paper with their questions and verdicts."""
    lines = ["| experiment | question | verdicts of the recorded run |", "|---|---|---|"]
    return "\n\n" + "\n".join([*lines, *_rows(page, paper)]) + "\n\n"


def _rows(page: Path, paper: str) -> list[str]:
    rows = []
    for entry in _entries():
        if entry.about.get("paper") == paper:
            tally = report.tally(published(entry.name).claims)
            where = link(page, page_of(entry.name))
            rows.append(f"| [`{entry.name}`]({where}) | {entry.about['question']} | {tally} |")
    return rows


@lru_cache
def _entries() -> list[feed.Entry]:
    return list(feed.entries([ROOT / "configs"]))


def page_of(name: str) -> Path:
    """The page that shows the verdicts of an experiment. Raises ValueError where none does."""
    mark = f"<!-- verdicts {name} -->"
    found = [page for page in pages() if mark in page.read_text()]
    if len(found) != 1:
        raise ValueError(f"{len(found)} pages have {mark}; one should")
    return found[0]


def link(page: Path, target: Path) -> str:
    """The relative address of `target` on `page`."""
    return os.path.relpath(target, page.parent)


def file(page: Path, path: str) -> str:
    """A file of the repository as a block of code."""
    language = {".py": "python", ".yaml": "yaml"}[Path(path).suffix]
    return f"\n\n```{language}\n{(ROOT / path).read_text().rstrip()}\n```\n\n"


KINDS: dict[str, Callable[..., str]] = {
    "verdicts": verdicts,
    "answers": answers,
    "value": value,
    "setting": setting,
    "published": printed,
    "papers": papers,
    "experiments": experiments,
    "file": file,
}
