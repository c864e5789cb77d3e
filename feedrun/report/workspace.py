"""A Weights & Biases workspace for runs that were mirrored there (extra `wandb-workspaces`).

Sections: the claims as text, the curves of each metric group, the summary metrics that claims
speak of. Runs are grouped by what differs between their configs; bands are standard errors.
"""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from feedrun.analysis import groups
from feedrun.errors import first_line
from feedrun.records import store
from feedrun.records.store import Record

MISSING = "wandb-workspaces is not installed: pip install 'feedrun[wandb-workspaces]'"


def workspace(records: Sequence[Record], text: str, *, entity: str, project: str, name: str) -> Any:
    """The Workspace; `text` is its first panel, in markdown. Raises ImportError without the extra.

    Nothing is sent anywhere before `save`.
    """
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
        from wandb_workspaces import expr
    except ImportError as error:
        raise ImportError(MISSING) from error

    wide = ws.SectionLayoutSettings(columns=1, rows=1)
    claims = ws.Section(
        name="Claims", panels=[wr.MarkdownPanel(markdown=text)], is_open=True, pinned=True,
        layout_settings=wide,
    )  # fmt: skip
    band: Any = {"groupby_aggfunc": "mean", "groupby_rangefunc": "stderr"}
    sections = [claims]
    for title, axis, metrics in curve_groups(records):
        panels: Any = [wr.LinePlot(title=m, x=axis, y=[m], title_x=axis, **band) for m in metrics]
        sections.append(ws.Section(name=title, panels=panels, is_open=len(sections) == 1))
    bars: Any = [wr.BarPlot(title=m, metrics=[m], **band) for m in claimed(records)]
    sections.append(ws.Section(name="Summary", panels=bars))
    keys = [key for key in groups.varying(records) if key != "experiment"]
    runs = ws.RunsetSettings(
        filters=[expr.Metric("Group").isin(wandb_groups(records))],
        groupby=[expr.Config(key) for key in keys],
        pinned_columns=[f"config:{key}" for key in [*keys, "seed"]],
    )
    settings = ws.WorkspaceSettings(max_runs=100)
    return ws.Workspace(
        entity=entity, project=project, name=name, sections=sections, settings=settings,
        runset_settings=runs,
    )  # fmt: skip


def wandb_groups(records: Sequence[Record]) -> list[str]:
    """The W&B groups that the runs were put into (see `runner.wandb`)."""
    names = (record.run.get("sweep") or record.run["experiment"] for record in records)
    return list(dict.fromkeys(map(str, names)))


def claimed(records: Sequence[Record]) -> list[str]:
    """The summary metrics that claims speak of."""
    return list(dict.fromkeys(row["metric"] for record in records for row in record.claims))


def curve_groups(records: Sequence[Record]) -> Iterator[tuple[str, str, list[str]]]:
    """(title, x axis, metrics) of each group of curves: those that share all but their last part.

    The names are read from one record of each experiment, the axes are those of `runner.wandb`.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    firsts = {record.run["experiment"]: record for record in reversed(records)}
    for record in reversed(firsts.values()):
        for row in store.read_rows(record.folder / "metrics.jsonl"):
            scope = row.get("scope", "")
            axis = f"{scope}/step" if scope else "step"
            for name in [key for key in row if key not in ("step", "time", "scope")]:
                title = name.rpartition("/")[0] or "metrics"
                found.setdefault((title, axis), {})[name] = None
    for (title, axis), metrics in found.items():
        yield title, axis, list(metrics)


def as_json(made: Any) -> str:
    """What W&B would be sent, as JSON."""
    view = made._to_model()  # the library writes its JSON nowhere else
    content = view.model_dump(by_alias=True, exclude_none=True, mode="json")
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def account(entity: str | None) -> str:
    """The entity to save for: the given one, or the account's own. Raises ConnectionError."""
    import wandb

    wandb.setup(settings=wandb.Settings(silent=True))
    if not wandb.login(prompt=False, verify=False):
        raise ConnectionError("no API key: set WANDB_API_KEY or run wandb login")
    try:
        return entity or str(wandb.Api(timeout=10).default_entity)
    except Exception as error:  # the network may fail in any way at all
        raise ConnectionError(first_line(error)) from error


def save(made: Any) -> str:
    """Save to W&B; the URL. Raises ConnectionError where that is not possible."""
    try:
        return made.save().url
    except Exception as error:
        raise ConnectionError(first_line(error)) from error


def default_project() -> str:
    """The project that runs are mirrored to."""
    return os.environ.get("WANDB_PROJECT") or "feedrun"
