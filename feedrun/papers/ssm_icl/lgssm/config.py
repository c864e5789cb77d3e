"""Settings of icl_lgssm."""

from typing import Annotated

from pydantic import Field, model_validator

from feedrun.experiment import Config, Count, one_of
from feedrun.papers.ssm_icl.arms.config import Names
from feedrun.papers.ssm_icl.arms.training import Network, Training
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles

FAMILIES = ("lg4", "lg1", "lg4_finite")
PARTS = ("stretched", "states", "exact", "known", "order_blind", "poles")
FIRST = 8
"""Observations after which a filter's gains have settled (t >= 8)."""

END = 63
"""Observations after which optimality is claimed (or the last, where there are fewer)."""


class Stretched(Config):
    """The main networks on `sequences` that are `times` as long as those of training."""

    times: Annotated[int, Field(ge=2)]
    sequences: Count


class Part(Config):
    """A network and a budget of its own."""

    network: Network
    training: Training


class Lgssm(Config):
    """family, tasks (of lg4_finite) and bank (prior draws of lg4's Bayes predictor) are the task's.

    parts: what runs beside the main comparison of `arms`; `states`: sizes of the reference arm's
    state beside network.states; poles trains bare recurrences, which have no network.
    """

    family: Annotated[str, one_of(FAMILIES, "family")]
    tasks: Count
    bank: Annotated[int, Field(gt=0, multiple_of=oracles.GROUP)]
    length: Annotated[int, Field(ge=2 * FIRST)]
    sequences: Annotated[int, Field(ge=2)]
    arms: Names
    parts: Annotated[list[str], one_of(PARTS, "part")]
    network: Network
    training: Training
    stretched: Stretched
    states: list[Count]
    exact: Training
    known: Part
    order_blind: Part
    poles: Training

    @model_validator(mode="after")
    def _a_ladder_has_a_reference(self):
        if "states" in self.parts and self.network.states in self.states:
            raise ValueError(
                f"states lists {self.network.states}, which network.states trains anyway: leave "
                "it out"
            )
        return self
