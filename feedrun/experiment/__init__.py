"""What an experiment is made of: its config, its claims, what it returns and may do.

This face imports no jax: `feedrun.experiment.batch`, which does, is imported by its full name.
"""

from feedrun.experiment.catalogue import claims_beside
from feedrun.experiment.claims import (
    Claim,
    Estimate,
    Judgement,
    Origin,
    Summary,
    Verdict,
    estimate,
    judge,
    verdict_row,
)
from feedrun.experiment.contract import Experiment, Journal, Result, silent_journal
from feedrun.experiment.fields import (
    Config,
    Count,
    Elsewhere,
    Natural,
    OneOrMany,
    Positive,
    Share,
    multiple_of,
    one_of,
)

__all__ = [
    "Claim",
    "Config",
    "Count",
    "Elsewhere",
    "Estimate",
    "Experiment",
    "Journal",
    "Judgement",
    "Natural",
    "OneOrMany",
    "Origin",
    "Positive",
    "Result",
    "Share",
    "Summary",
    "Verdict",
    "claims_beside",
    "estimate",
    "judge",
    "multiple_of",
    "one_of",
    "silent_journal",
    "verdict_row",
]
