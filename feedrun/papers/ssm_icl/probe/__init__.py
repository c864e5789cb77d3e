"""Does a trained network's hidden state hold what a Bayesian filter would?"""

from feedrun.papers.ssm_icl.probe.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
