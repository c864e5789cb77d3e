"""Tokens cluster: the SA and USA flows on the sphere, their structure, rates and collapse."""

from feedrun.papers.mean_field.clustering.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
