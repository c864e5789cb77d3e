"""Long Range Arena with one transformer in which only attention varies: what does SLAY lose?"""

from feedrun.papers.slay.lra.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
