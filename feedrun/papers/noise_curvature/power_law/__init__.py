"""Does SGD noise follow curvature superlinearly, C_ii ~ H_ii^gamma with 1 < gamma < 2, and why?"""

from feedrun.papers.noise_curvature.power_law.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
