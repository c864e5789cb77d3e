"""Coloured noise: do selective SSMs get below what Transformers reach, and only there?"""

from feedrun.papers.ssm_icl.noise.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
