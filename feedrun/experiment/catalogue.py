"""Claims as data: the claims.yaml in an experiment's folder, three lines a claim.

    - {name: order, origin: derived, source: order of the method,
       statement: "Euler converges at order 1",
       metric: order_euler, low: 0.95, high: 1.05}

`low` and `high` are numbers or null; a bound that is left out is unbounded on that side. The other
keys are those of `Claim`, and all are needed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from feedrun.errors import nearest
from feedrun.experiment.claims import Claim, Origin


class Stated(BaseModel):
    """One entry of a claims.yaml: the fields of `Claim`, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    statement: str
    source: str
    origin: Origin
    metric: str
    low: int | float | None = None
    high: int | float | None = None

    @model_validator(mode="after")
    def _interval(self) -> "Stated":
        if self.low is None and self.high is None:
            raise ValueError("neither low nor high: nothing could refute it")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


def claims_beside(module: str | Path) -> tuple[Claim, ...]:
    """The claims of the claims.yaml beside a module, in order: `claims_beside(__file__)`."""
    return claims_in(Path(module).with_name("claims.yaml"))


def claims_in(path: Path) -> tuple[Claim, ...]:
    """The claims of one yaml. Raises ValueError that names the file, the claim and the fault."""
    claims = [_claim(path, place, row) for place, row in enumerate(_rows(path), 1)]
    seen: set[str] = set()
    for claim in claims:
        if claim.name in seen:
            raise ValueError(f"{path}: {claim.name}: two claims have this name")
        seen.add(claim.name)
    return tuple(claims)


def _rows(path: Path) -> list[Any]:
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{path}: {error.problem}{line}") from error
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    if not isinstance(rows, list):
        raise ValueError(f"{path}: expected a list of claims, got {type(rows).__name__}")
    return rows


def _claim(path: Path, place: int, row: Any) -> Claim:
    name = row.get("name") if isinstance(row, dict) else None
    where = f"{path}: {name or f'claim {place}'}"
    try:
        return Claim(**Stated.model_validate(row).model_dump())
    except ValidationError as error:
        raise ValueError(f"{where}: {_fault(error.errors())}") from error


def _fault(faults: Sequence[Any]) -> str:
    """One of the faults that pydantic found, in words: an unknown key explains a missing one."""
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    first = (unknown or faults)[0]
    fault = [other for other in faults if other["loc"][:1] == first["loc"][:1]][-1]
    key = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "missing":
        return f"lacks the key {key}"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}{nearest(key, Stated.model_fields)}"
    message = fault["msg"].removeprefix("Value error, ")
    if not key or fault["type"] == "value_error":
        return message[0].lower() + message[1:]
    return f"{key}: {message[0].lower()}{message[1:]}, got {fault['input']!r}"
