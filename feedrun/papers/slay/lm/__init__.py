"""Language modelling at equal tokens and equal budgets: which attention predicts text best?"""

from feedrun.papers.slay.lm.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
