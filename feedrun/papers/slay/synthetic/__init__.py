"""Which synthetic tasks tell attention mechanisms apart, and which could not have?"""

from feedrun.papers.slay.synthetic.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
