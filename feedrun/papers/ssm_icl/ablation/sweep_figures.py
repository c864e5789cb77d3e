"""A sweep of icl_ablation over families and arms: the gap matrix and the effects, side by side."""

from collections.abc import Sequence
from typing import Any

from feedrun.experiment import Result
from feedrun.papers.ssm_icl.ablation.figures import effects, gap_matrix, matrix, measured
from feedrun.papers.ssm_icl.style import FAMILIES


def sweep_figures(results: Sequence[tuple[Any, Result]]) -> dict[str, Any]:
    """A sweep's runs, a panel a family; where other settings differ as well, numbered figures."""
    groups: dict[str, dict[str, list[Result]]] = {}
    for cfg, result in results:
        rest = cfg.model_dump(mode="json", exclude={"family", "arms"})
        groups.setdefault(repr(rest), {}).setdefault(cfg.family, []).append(result)
    drawn: dict[str, Any] = {}
    for number, group in enumerate(groups.values(), start=1):
        matrices = [matrix(group[family]) for family in FAMILIES if family in group]
        suffix = f"_{number}" if len(groups) > 1 else ""
        drawn[f"gap_matrix{suffix}"] = gap_matrix(matrices)
        if whole := [one for one in matrices if measured(one)]:
            drawn[f"effects{suffix}"] = effects(whole)
    return drawn
