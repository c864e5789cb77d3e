"""What does a trained network do on data it was not trained for?"""

from feedrun.papers.ssm_icl.shift.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
