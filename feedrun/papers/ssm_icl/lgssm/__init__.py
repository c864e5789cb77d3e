"""How near do trained arms come to Bayes on linear-Gaussian systems, how fast, and what helps?"""

from feedrun.papers.ssm_icl.lgssm.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
