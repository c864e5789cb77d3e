"""A report: for each experiment (or named sweep) its runs, claims and results; in any form."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Group as Lines
from rich.text import Text

from feedrun.analysis import groups
from feedrun.analysis.published import published
from feedrun.analysis.results import Results, Wanted, chosen_metrics, known_key, results, wanted
from feedrun.records.find import Gathered, queued
from feedrun.records.store import Record
from feedrun.records.sweeps import Job, Sweep, state
from feedrun.report import results as resultgrid
from feedrun.report import tables
from feedrun.report.claims import Line, claim_lines, claims_grid, claims_table, verdicts


class Section(NamedTuple):
    """One experiment, or one named sweep that says how it wants to be shown."""

    title: str
    records: list[Record]
    claims: list[Line]
    results: Results | None
    remarks: list[str]


class Document(NamedTuple):
    """All that a report says; `queued` are jobs of sweeps that have not begun."""

    sections: list[Section]
    queued: list[Job]
    faults: list[str]


def document(gathered: Gathered, shown: Sequence[Sweep], asked: Wanted) -> Document:
    """A section for each sweep of `shown` that has a table, then one for each experiment left.

    What is `asked` for goes before what a sweep's table says. Raises ValueError where it names
    a metric, key or value that no run has.
    """
    _check(gathered.records, asked)
    sections, done = [], set()
    for sweep in shown:
        if sweep.table is None:
            continue
        ids = {job.id for job in sweep.jobs}
        own = [record for record in gathered.records if record.run["id"] in ids]
        want = wanted(sweep.table).model_copy(update=asked.model_dump(exclude_unset=True))
        if own:
            sections.append(_section(want.title or sweep.name, own, want))
        done |= ids
    left = [record for record in gathered.records if record.run["id"] not in done]
    for name in dict.fromkeys(record.run["experiment"] for record in left):
        own = [record for record in left if record.run["experiment"] == name]
        sections.append(_section(name, own, _known(own, asked)))
    return Document(sections, queued(gathered), gathered.faults)


def _check(records: Sequence[Record], asked: Wanted) -> None:
    """Raises ValueError for a metric or key that none of all the records has."""
    chosen_metrics(records, asked.show)
    for key in [*(asked.rows or []), *asked.baseline]:
        known_key(key, records)


def _known(records: Sequence[Record], asked: Wanted) -> Wanted:
    """What is asked for, without metrics and keys that only other experiments have."""
    configs = {key for record in records for key in [*groups.config(record), "seed"]}
    have = {key: groups.full(key, configs) in configs for key in asked.rows or []}
    rows = None if asked.rows is None else [key for key, there in have.items() if there]
    base = {k: v for k, v in asked.baseline.items() if groups.full(k, configs) in configs}
    show = asked.show
    if show is not None:
        show = [pattern for pattern in show if _matches(records, pattern)]
    return asked.model_copy(update={"rows": rows, "baseline": base, "show": show})


def _matches(records: Sequence[Record], pattern: str) -> bool:
    try:
        return bool(chosen_metrics(records, [pattern]))
    except ValueError:
        return False


def _section(title: str, records: list[Record], want: Wanted) -> Section:
    some = any(record.state == "complete" for record in records) and want.show != []
    found = results(records, want) if some else None
    papers = dict.fromkeys(str(record.run.get("paper", "")) for record in records)
    beside = found and (found.others or any(e.published for r in found.rows for e in r.entries))
    none = [] if beside else [text for paper in papers if (text := published(paper).none.strip())]
    remarks = [f"published numbers: {text}" for text in none] if some else []
    return Section(title, records, claim_lines(records), found, remarks)


def about(section: Section) -> str:
    """'6 runs, 2 configs, seeds 0 1 2, scale smoke'."""
    records = section.records
    configs = len(groups.groups(records))
    seeds = sorted({record.run["seed"] for record in records})
    scales = list(dict.fromkeys(record.run["scale"] for record in records))
    parts = [_count(len(records), "run"), _count(configs, "config")]
    parts += [f"seed{'s' * (len(seeds) > 1)} {spans(seeds)}", f"scale {' '.join(scales)}"]
    return ", ".join(parts)


def spans(numbers: Sequence[int]) -> str:
    """Sorted numbers with runs of them shortened: [0, 1, 2, 7] -> '0-2 7'."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return " ".join(f"{s[0]}-{s[-1]}" if len(s) > 1 else f"{s[0]}" for s in found)


def incomplete(section: Section) -> list[str]:
    """A line for each run that is running, was stopped or has failed: where it is and why."""
    labels = {id(r): g.label for g in groups.groups(section.records) for r in g.records}
    lines = []
    for record in section.records:
        if record.state != "complete":
            where = ", ".join(filter(None, [labels[id(record)], f"seed {record.run['seed']}"]))
            why = f": {record.error}" if record.error else ""
            lines.append(f"{state(record.folder).name} ({where}) {record.folder}{why}")
    return lines


def waiting(jobs: Sequence[Job]) -> list[str]:
    """'3 runs of made have not begun', a line an experiment."""
    names = dict.fromkeys(job.experiment for job in jobs)
    counts = {name: sum(job.experiment == name for job in jobs) for name in names}
    return [
        f"queued: {_count(n, 'run')} of {name} without a record yet" for name, n in counts.items()
    ]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def terminal(found: Document) -> Lines:
    """The report as something that rich prints."""
    parts: list[Any] = []
    for section in found.sections:
        parts += [*([Text("")] if parts else []), *_terminal(section)]
    parts += [Text(line, "yellow") for line in waiting(found.queued)]
    return Lines(*parts)


def _terminal(section: Section) -> Iterator[Any]:
    yield Text.assemble((section.title, "bold cyan"), (f"  {about(section)}", "dim"))
    yield from (Text(line, "yellow") for line in incomplete(section))
    if section.claims:
        yield Text(f"\nclaims: {verdicts(section.claims)}", "bold")
        yield claims_table(section.claims)
    if section.results:
        yield Text("\nresults", "bold")
        yield resultgrid.grid(section.results)._replace(title="")
    yield from (Text(line, "dim") for line in section.remarks)


def markdown(found: Document) -> str:
    """The report as a markdown page."""
    parts = [part for section in found.sections for part in _markdown(section)]
    return "\n\n".join([*parts, *waiting(found.queued)]) + "\n"


def _markdown(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield about(section) + "."
    if lines := incomplete(section):
        yield "\n".join(f"- {line}" for line in lines)
    if section.claims:
        yield f"Claims: {verdicts(section.claims)}."
        yield tables.markdown(claims_grid(section.claims))
    if section.results:
        yield tables.markdown(resultgrid.grid(section.results)._replace(title="Results"))
    yield from section.remarks


def latex(found: Document) -> str:
    """The report's tables for a paper (booktabs); compile with xelatex or lualatex."""
    parts = []
    for section in found.sections:
        parts += [f"% {line}" for line in [about(section), *incomplete(section)]]
        if section.claims:
            title = f"{section.title}, claims: {verdicts(section.claims)}"
            parts.append(tables.latex(claims_grid(section.claims)._replace(title=title)))
        if section.results:
            title = section.results.title or section.title
            parts.append(tables.latex(resultgrid.grid(section.results)._replace(title=title)))
    return "\n".join([*parts, *(f"% {line}" for line in waiting(found.queued))]) + "\n"
