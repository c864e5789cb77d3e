"""How long and how much memory does attention take as sequences grow, and what does it buy?"""

from feedrun.papers.slay.speed.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
