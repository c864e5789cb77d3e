"""Is what a record holds what its readers rely on? Somebody may have edited it by hand."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from feedrun.records import store

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Run(BaseModel):
    """What every reader of run.json relies on."""

    model_config = ConfigDict(strict=True)

    id: str
    experiment: str
    scale: str
    seed: int
    target: str
    config: dict[str, Any]
    started: str


class Claim(BaseModel):
    """What every reader of an entry of claims.json relies on."""

    model_config = ConfigDict(strict=True)

    name: str
    statement: str
    source: str
    origin: str
    metric: str
    verdict: str
    n: int
    value: Finite | None
    low: Finite | None
    high: Finite | None
    expected_low: Finite | None
    expected_high: Finite | None


RUN, CLAIMS = TypeAdapter(Run), TypeAdapter(list[Claim])


def record(record: store.Record) -> None:
    """Raises ValueError naming the file, the place in it and what is wrong there."""
    _check(RUN, record.run, record.folder / "run.json")
    if record.state == "complete":
        _check(CLAIMS, record.claims, record.folder / "claims.json")
        for name, value in record.summary.items():
            if not _measured(value):
                path = record.folder / "summary.json"
                raise ValueError(f"{path}: {name} is no finite number, list or fit: {value!r:.60}")


def _measured(value: Any) -> bool:
    """A finite number, a list of such that is not empty, or {"value", "low", "high"}."""
    if isinstance(value, Mapping):
        return set(value) == {"value", "low", "high"} and all(map(_number, value.values()))
    if isinstance(value, list):
        return bool(value) and all(map(_number, value))
    return _number(value)


def _number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _check(model: TypeAdapter, content: Any, path: Path) -> None:
    try:
        model.validate_python(content)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "content"
        raise ValueError(f"{path}: {place}: {fault['msg'].lower()}") from error
