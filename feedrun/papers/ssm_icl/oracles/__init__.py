"""Are the oracles right, and what do they alone say of the paper's claims?"""

from feedrun.papers.ssm_icl.oracles.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
