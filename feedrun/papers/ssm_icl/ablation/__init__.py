"""Which ingredient buys the advantage, selectivity or the short convolution?"""

from feedrun.papers.ssm_icl.ablation.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
