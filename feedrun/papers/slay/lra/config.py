"""Settings of slay_lra: five tasks' sizes, of which those of the chosen task count."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from feedrun.experiment import (
    Config,
    Count,
    Elsewhere,
    Natural,
    OneOrMany,
    Positive,
    Share,
    one_of,
)
from feedrun.models.classifier import Pool
from feedrun.papers.slay.attention.mechanisms import ATTENDS, SIGNED
from feedrun.tasks.lra.catalogue import TASKS

NAMES = (
    "softmax",
    "slay",
    "slay_class",
    "ssd",
    *(n for n in ATTENDS if n not in {"softmax", "slay", *SIGNED}),
)
"""Attentions to choose from: `slay` and `slay_class` are the paper's table and its code's default.

`ssd` is none, but a selective state space in both directions with as many parameters. Kernels
whose denominators may be negative are left out: they do not train.
"""


Name = Annotated[str, one_of(NAMES, "attention")]
Names = Annotated[OneOrMany, one_of(NAMES, "attention")]


class Data(Config):
    """How much of a task; `options`: see `feedrun.tasks.lra.catalogue.load`."""

    length: Count
    train: Count
    valid: Count
    test: Count
    options: dict[str, bool | int | str]


class Model(Config):
    """Sizes of the classifier (see `feedrun.models.classifier.Sizes`)."""

    layers: Count
    width: Count
    qkv: Count
    heads: Count
    hidden: Count
    pool: Pool
    drop: Share


class Training(Config):
    """AdamW: `warmup` steps up, then a cosine down to 0.

    `groups`: of about equal length, which take turns; a batch is padded to its group's longest.
    """

    groups: Count
    steps: Count
    batch: Count
    warmup: Natural
    decay: Annotated[float, Field(ge=0)]
    log_every: Count


class Task(Config):
    """The sizes of one task."""

    data: Data
    model: Model
    training: Training

    @model_validator(mode="after")
    def _fits_together(self):
        m, t, d = self.model, self.training, self.data
        if m.qkv % m.heads:
            raise ValueError(f"model.qkv={m.qkv} is not a multiple of model.heads={m.heads}")
        if t.batch > d.train // t.groups:
            raise ValueError(
                f"training.batch={t.batch} is more than data.train={d.train} over "
                f"training.groups={t.groups}"
            )
        if d.train % t.groups:
            raise ValueError(
                f"data.train={d.train} is not a multiple of training.groups={t.groups}"
            )
        if t.warmup >= t.steps:
            raise ValueError(f"training.warmup={t.warmup} is not below training.steps={t.steps}")
        return self


class LongRange(Config):
    """Settings of slay_lra; of the five tasks' sizes those of `task` count."""

    task: Annotated[str, one_of(TASKS, "task")]
    attends: Names
    ours: Name
    chunk: Count
    states: Count
    pairs_up_to: Natural
    rates: Annotated[list[Positive], Field(min_length=1)]
    seeds: Count
    data_seed: Natural
    published: bool
    folder: Annotated[str, Elsewhere]
    dtype: Literal["float32", "bfloat16"]
    remat: bool
    timed: Count
    listops: Task
    text: Task
    retrieval: Task
    image: Task
    pathfinder: Task

    @model_validator(mode="after")
    def _each_once(self):
        if len(set(self.attends)) < len(self.attends):
            raise ValueError(f"attends names one twice: {', '.join(self.attends)}")
        return self

    @property
    def by_pairs(self) -> bool:
        """Are sequences so short that kernels run by all pairs of positions?"""
        return self.sizes.data.length <= self.pairs_up_to

    @property
    def sizes(self) -> Task:
        """Those of the chosen task."""
        return getattr(self, self.task)
