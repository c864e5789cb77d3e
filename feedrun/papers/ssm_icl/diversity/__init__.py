"""How many tasks until a network infers new ones instead of choosing among old ones?"""

from feedrun.papers.ssm_icl.diversity.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
