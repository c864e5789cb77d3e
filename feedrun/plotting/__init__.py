"""Figures: a canvas, colours that colour-blind readers tell apart, and the panels papers share."""

from feedrun.plotting.style import BLUE, GREEN, ORANGE, PINK, RED, SKY, canvas

__all__ = ["BLUE", "GREEN", "ORANGE", "PINK", "RED", "SKY", "canvas"]
