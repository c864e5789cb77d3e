"""The one training loop, what it trains on, and how rates are tuned and parts run side by side."""

from feedrun.train.loop import fit, tuned
from feedrun.train.streams import Stream, generated, grouped, shuffled

__all__ = ["Stream", "fit", "generated", "grouped", "shuffled", "tuned"]
