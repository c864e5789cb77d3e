"""What figures of all papers share: a canvas, and colours that colour-blind readers tell apart."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, SKY, RED, PINK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#56B4E9",
    "#D55E00",
    "#CC79A7",
)
"""Okabe and Ito's colours, but black and yellow."""

WINE, INDIGO, OLIVE, BROWN = "#882255", "#332288", "#999933", "#8B5A2B"
"""For figures of more than six: three of Tol's muted colours, and a brown. Use with markers."""

DARK, GREY, PALE = "0.3", "0.45", "0.6"
"""For references and controls: dark, middle and light grey."""

SMALL, TITLE = 8.5, 11
"""Sizes of text in points: legends, and a figure's title."""


def canvas(width: float | int, height: float | int) -> Figure:
    """An empty figure in inches, drawn without pyplot."""
    fig = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(fig)
    return fig
