"""How deep until tokens collapse? Temperature, dimension, normalisation; against the theory."""

from feedrun.papers.mean_field.phase.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
