"""The settings of slay_kernel; what each is: see the yaml."""

from typing import Annotated

from pydantic import Field, model_validator

from feedrun.experiment import Config, Count, Positive, Share, multiple_of, one_of
from feedrun.papers.slay.attention.mechanisms import ATTENDS, KERNELS, SIGNED, Sizes
from feedrun.papers.slay.kernel import fidelity

Attention = Annotated[str, one_of([*ATTENDS, *fidelity.LIMITS], "mechanism")]
Scored = Annotated[str, one_of(["yat", "yat_raw", *KERNELS], "mechanism")]
POSITIVE = ["softmax", "yat", "yat_raw", *(n for n in KERNELS if n not in SIGNED)]
Positively = Annotated[str, one_of(POSITIVE, "mechanism without negative scores")]


class Budget(Config):
    """Features of SLAY: `nodes` times `prf` times `poly`; kernels without these get as many."""

    nodes: Count
    prf: Count
    poly: Count

    def sizes(self, eps: float, chunk: int = 128) -> Sizes:
        """For the table of mechanisms."""
        features = self.nodes * self.prf * self.poly
        return Sizes(self.nodes, self.prf, self.poly, eps, features, chunk)


class Exact(Config):
    """Grids of cosines, Gram matrices, and the needle's setting."""

    points: Annotated[int, Field(ge=100)]
    vectors: Annotated[int, Field(ge=2)]
    dimensions: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    needle_dimension: Annotated[int, Field(ge=3)]
    needle_others: Count


class Sampling(Config):
    """Draws behind each Monte Carlo estimate; `block` of them are in memory at once."""

    draws: Count
    block: Annotated[int, Field(ge=10)]
    counts: Annotated[list[Count], Field(min_length=2)]
    repeats: Count
    parts: Annotated[int, Field(ge=3)]
    orthogonal_dimensions: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    orthogonal_draws: list[Count]
    anchor_dimensions: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    anchor_draws: Count

    @model_validator(mode="after")
    def _draws_for_each_dimension(self):
        dimensions, draws = self.orthogonal_dimensions, self.orthogonal_draws
        if len(dimensions) != len(draws):
            raise ValueError(f"{len(dimensions)} orthogonal_dimensions, {len(draws)} draws")
        if any(n < 2 * d * self.parts for n, d in zip(draws, dimensions, strict=True)):
            raise ValueError(f"orthogonal_draws {draws} give {self.parts} parts too few blocks")
        return self


class Signs(Config):
    """Estimates whose scores and denominators are looked at."""

    mechanisms: Annotated[list[Scored], Field(min_length=1)]
    tokens: Count
    dimension: Count
    eps: Positive
    budget: Budget


class Fidelity(Config):
    """The table of outputs: `mechanisms` at the first budget, `swept` at every one."""

    tokens: Count
    dimension: Annotated[int, Field(ge=2)]
    heads: Count
    correlation: Share
    chunk: Count
    mechanisms: Annotated[list[Attention], Field(min_length=1)]
    swept: list[Attention]
    budgets: Annotated[list[Budget], Field(min_length=1)]


class Nodes(Config):
    """Exact square times features, `budgets` of them in all, on so many `nodes`."""

    tokens: Count
    nodes: Annotated[list[Count], Field(min_length=1)]
    budgets: Annotated[list[Count], Field(min_length=1)]

    @model_validator(mode="after")
    def _a_feature_for_each_node(self):
        if min(self.budgets) < max(self.nodes):
            raise ValueError(
                f"{min(self.budgets)} features are too few for {max(self.nodes)} nodes"
            )
        return self


class Column(Budget):
    """One size of the ablation."""

    label: str
    tokens: Count


class Ablation(Config):
    """The paper's layer and the mechanisms in it."""

    embed: Count
    heads: Count
    batch: Count
    eps: Positive
    repeats: Count
    mechanisms: Annotated[list[Attention], Field(min_length=1)]
    columns: Annotated[list[Column], Field(min_length=1)]

    _heads = model_validator(mode="after")(multiple_of("embed", "heads"))


class Selectivity(Config):
    """Tokens that attend to one another."""

    mechanisms: Annotated[list[Positively], Field(min_length=1)]
    similarities: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1)]
    tokens: Annotated[int, Field(ge=2)]
    dimension: Count
    eps: Positive
    budget: Budget


class KernelConfig(Config):
    """Settings of slay_kernel."""

    eps: Positive
    seeds: Annotated[int, Field(ge=3)]
    exact: Exact
    sampling: Sampling
    signs: Signs
    fidelity: Fidelity
    nodes: Nodes
    ablation: Ablation
    selectivity: Selectivity
