"""What the configs of experiments that train arms and mark them in an exam have in common."""

from typing import Annotated

from pydantic import Field, model_validator

from feedrun.experiment import Config
from feedrun.papers.ssm_icl.arms.training import Count, Network, Training


class Examined(Config):
    """length: targets a sequence; sequences: of an exam; bank: prior draws of LG4's Bayes."""

    length: Annotated[int, Field(ge=4)]
    sequences: Annotated[int, Field(ge=8)]
    bank: Count
    network: Network
    training: Training


class Placed(Examined):
    """`at`: observations after which excess is reported, rising."""

    at: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _within(self):
        if max(self.at) >= self.length:
            raise ValueError(f"at={self.at} must be below length={self.length}")
        if sorted(set(self.at)) != self.at:
            raise ValueError(f"at={self.at} must rise")
        return self
