"""Do trained arms learn random Markov chains in context, and does the convolution decide it?"""

from feedrun.papers.ssm_icl.markov.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
