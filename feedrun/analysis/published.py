"""Numbers that a paper (or others) published, to stand beside ours.

feedrun/papers/<paper>/published.yaml:

    none: what has no published number, and why        (shown where nothing else is)
    numbers:
      - experiment: noise_power_law
        metric: gamma_emp
        where: {widths: [784, 50, 50, 10]}   dotted config keys, or their last part; a list of
                                             values for a key that has one value: any of them
        value: 1.4                           in the unit of the metric; or low: and high:
        source: "Table 1"                    where it stands
        setting: "2,000 images a class"      optional: how it was measured
        name: "Reformer"                     optional: somebody's result that is a row of its own
    tables:                                  many of the last kind: a row a name
      - {experiment: slay_lra, metric: accuracy, unit: 0.01, source: "the benchmark's page",
         key: task, columns: [listops, text], rows: {Reformer: [37.27, 56.10]}}
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from feedrun import papers
from feedrun.analysis import groups


class Number(BaseModel):
    """One published number; `low` and `high` where it is a range or has an interval."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    experiment: str
    metric: str
    where: dict[str, Any] = {}
    value: float | None = None
    low: float | None = None
    high: float | None = None
    source: str
    setting: str = ""
    name: str = ""


class Rows(BaseModel):
    """A published table: one row a name, one column a value of `key`; null where there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    experiment: str
    metric: str
    unit: float
    source: str
    setting: str = ""
    key: str
    columns: list[Any]
    rows: dict[str, list[float | None]]

    def numbers(self) -> list[Number]:
        """Its entries, in the unit of the metric."""
        return [
            Number(experiment=self.experiment, metric=self.metric, where={self.key: column},
                   value=value * self.unit, source=self.source, setting=self.setting, name=name)
            for name, values in self.rows.items()
            for column, value in zip(self.columns, values, strict=True)
            if value is not None
        ]  # fmt: skip


class Published(BaseModel):
    """The content of one published.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    none: str = ""
    numbers: list[Number] = []
    tables: list[Rows] = []

    def all(self) -> list[Number]:
        """Every number of the file."""
        return [*self.numbers, *(number for table in self.tables for number in table.numbers())]


def published(paper: str) -> Published:
    """What was published on a paper's experiments; nothing for a paper that is not feedrun's."""
    for folder in papers.__path__:
        path = Path(folder) / paper / "published.yaml"
        if path.exists():
            return Published.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    return Published()


def beside(numbers: Iterable[Number], config: Mapping[str, Any], metric: str) -> list[Number]:
    """The numbers that stand beside this metric of runs with this dotted config."""
    return [n for n in numbers if not n.name and _fits(n, config, metric)]


def others(
    numbers: Iterable[Number], configs: Sequence[Mapping[str, Any]], metric: str
) -> list[Number]:
    """Numbers of what feedrun has not (they have a `name`), where all else agrees with a run."""
    return [n for n in numbers if n.name and any(_fits(n, c, metric) for c in configs)]


def _fits(number: Number, config: Mapping[str, Any], metric: str) -> bool:
    if (number.metric, number.experiment) != (metric, config.get("experiment")):
        return False
    missing = object()
    return all(
        _same(v, config.get(groups.full(k, config), missing)) for k, v in number.where.items()
    )


def _same(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, list) and not isinstance(value, list):
        return value in wanted
    return wanted == value
