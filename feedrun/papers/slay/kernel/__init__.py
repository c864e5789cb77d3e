"""Does SLAY approximate what it says? Kernel, quadrature, features, attention outputs."""

from feedrun.papers.slay.kernel.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
