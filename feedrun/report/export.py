"""A report for other programs: every number in full, as JSON or as one CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedrun.analysis import groups
from feedrun.analysis.published import Number
from feedrun.analysis.results import Entry
from feedrun.records.store import Record
from feedrun.report.claims import Line
from feedrun.report.document import Document, Section
from feedrun.report.tables import comma_separated

RESULT = ("value", "low", "high", "n", "over", "iqm", "iqm_low", "iqm_high", "difference",
          "difference_low", "difference_high", "pairs", "published", "published_low",
          "published_high", "published_source", "chance")  # fmt: skip
CLAIM = (
    "claim",
    "statement",
    "verdict",
    "counts",
    "expected_low",
    "expected_high",
    "origin",
    "source",
)


def as_json(found: Document) -> dict[str, Any]:
    """The report as plain JSON: a section an experiment with runs, claims and results."""
    return {
        "sections": [_section(section) for section in found.sections],
        "queued": [{**job._asdict(), "folder": str(job.folder)} for job in found.queued],
        "faults": found.faults,
    }


def as_csv(found: Document) -> str:
    """One row a metric and config, and one a claim and config; `kind` tells which."""
    rows = [row for section in found.sections for row in _rows(section)]
    known = {*RESULT, *CLAIM, "kind", "experiment", "metric"}
    keys = list(dict.fromkeys(key for row in rows for key in row if key not in known))
    header = ["kind", "experiment", *keys, "metric", *RESULT, *CLAIM]
    return comma_separated(header, [[row.get(name) for name in header] for row in rows])


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "runs": [_run(record) for record in section.records],
        "claims": [_claim(line) for line in section.claims],
        "results": list(_results(section)),
        "remarks": section.remarks,
    }


def _run(record: Record) -> dict[str, Any]:
    kept = {key: record.run[key] for key in ("id", "experiment", "scale", "seed", "started")}
    more = {"code": record.run.get("code"), "config": record.run["config"]}
    end = {"seconds": record.seconds, "summary": record.summary}
    state = {"state": record.state, "error": record.error}
    return {**kept, "folder": str(record.folder), **state, **more, **end}


def _claim(line: Line) -> dict[str, Any]:
    row = {key: value for key, value in line.pooled.row.items() if key != "name"}
    about = {"experiment": line.experiment, "runs": line.label, "claim": line.pooled.row["name"]}
    more = {"counts": line.counts, "over": line.pooled.over, "alone": dict(line.pooled.own)}
    return {**about, **row, **more}


def _results(section: Section) -> Iterator[dict[str, Any]]:
    """A row a config and metric; a further one for each published number beyond the first."""
    if section.results is None:
        return
    for row in section.results.rows:
        for metric, entry in zip(section.results.metrics, row.entries, strict=True):
            where = {**dict(row.group.values), "metric": metric}
            if entry.cell or entry.published:
                yield {**where, **_numbers(entry)}
            yield from ({**where, **_published(one)} for one in entry.published[1:])
    for one in section.results.others:
        yield {**one.where, "metric": one.metric, "name": one.name, **_published(one)}


def _numbers(entry: Entry) -> dict[str, Any]:
    """The columns of RESULT."""
    cell, difference = entry.cell, entry.difference
    found: dict[str, Any] = dict.fromkeys(RESULT)
    if cell:
        found |= {k: getattr(cell, k) for k in ("value", "low", "high", "n", "over")}
    if cell and cell.iqm:
        found |= {"iqm": cell.iqm.value, "iqm_low": cell.iqm.low, "iqm_high": cell.iqm.high}
    if difference:
        found |= {"difference": difference.value, "difference_low": difference.low}
        found |= {"difference_high": difference.high, "pairs": difference.pairs}
    beside = _published(entry.published[0]) if entry.published else {}
    return found | beside | {"chance": entry.chance}


def _published(one: Number) -> dict[str, Any]:
    numbers = {"published": one.value, "published_low": one.low, "published_high": one.high}
    return {**numbers, "published_source": one.source}


def _rows(section: Section) -> Iterator[Mapping[str, Any]]:
    names = {record.run["experiment"] for record in section.records}
    only = {"experiment": next(iter(names))} if len(names) == 1 else {}
    for row in _results(section):
        plain = {k: groups.text(v) if isinstance(v, list | dict) else v for k, v in row.items()}
        yield {"kind": "result", **only, **plain}
    for line in section.claims:
        yield {"kind": "claim", **{k: v for k, v in _claim(line).items() if k != "alone"}}
