"""What the configs of experiments that train arms and evaluate them have in common."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from feedrun.experiment import Config, Count, OneOrMany
from feedrun.models import arms
from feedrun.papers.ssm_icl.arms.training import Network, Training


def _checked(names: list[str]) -> list[str]:
    for name in names:
        arms.parse(name)
    if len(set(names)) < len(names):
        raise ValueError(f"every arm once, got {names}")
    return names


Names = Annotated[OneOrMany, AfterValidator(_checked)]
"""One arm or several (see `models.arms`); a single one stays a word in records and tables."""


class EvalConfig(Config):
    """length: targets a sequence; sequences: to evaluate on; bank: prior draws of LG4's Bayes."""

    length: Annotated[int, Field(ge=4)]
    sequences: Annotated[int, Field(ge=8)]
    bank: Count
    network: Network
    training: Training


class ContextConfig(EvalConfig):
    """`at`: observations after which excess is reported, rising."""

    at: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _within(self):
        if max(self.at) >= self.length:
            raise ValueError(f"at={self.at} must be below length={self.length}")
        if sorted(set(self.at)) != self.at:
            raise ValueError(f"at={self.at} must rise")
        return self
