"""What all figures of paper 2 share: arms, tasks and references in words, and how they look."""

from typing import Any

from feedrun.plotting.style import (
    BLUE,
    BROWN,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PINK,
    RED,
    SKY,
)

COLOURS = {
    "ssd": BLUE,
    "mamba1": SKY,
    "s_fixed": GREEN,
    "s_none": BROWN,
    "s4d": PINK,
    "softmax": RED,
    "linear": ORANGE,
    "linear_elu": ORANGE,
    "gru": DARK,
    "lstm": PALE,
}
"""Of mixers."""

WORDS = {
    "ssd": "selective SSM",
    "mamba1": "Mamba-1",
    "s_fixed": "fixed decay",
    "s_none": "no decay",
    "s4d": "S4D",
    "softmax": "softmax",
    "linear": "linear",
    "linear_elu": "linear (elu)",
    "gru": "GRU",
    "lstm": "LSTM",
    "conv": "conv",
    "rope": "RoPE",
    "learned": "learned",
    "alibi": "ALiBi",
}
"""Of what an arm's name is made of."""

FAMILIES = {
    "lg4": "LG4",
    "lg1": "LG1",
    "lg4_finite": "LG4, {tasks} frozen systems",
    "switching": "SM",
    "coloured_lag": "coloured noise, lags given",
    "coloured_shift": "coloured noise, lags not given",
}

LAGS = {"ar1": "ridge on 1 lag", "ar2": "ridge on 2 lags", "ar4": "ridge on 4 lags"}
"""References of a series by their lags."""

REFERENCES = {
    "bayes": ("Bayes, $\\rho$ known", BLUE, "-"),
    "unknown": ("Bayes, $\\rho$ unknown", SKY, "-"),
    "arx_ols": ("least squares on lags", GREEN, "-"),
    "proper": ("best proper", PINK, "--"),
    "ridge": ("ridge", ORANGE, "-"),
    "ols": ("least squares", RED, "-"),
    "lsa": ("one gradient step", GREY, (0, (3, 1, 1, 1, 1, 1))),
    "kalman": ("Kalman filter (Bayes)", BLUE, "-"),
    "static": ("static ridge", ORANGE, "-"),
    "forget_0.9": ("ridge, forgetting 0.9", GREEN, "-"),
    "forget_0.8": ("ridge, forgetting 0.8", SKY, "-"),
}
"""References of a regression: words, and colour and dash where no arm is beside them.

Green and grey are one colour to readers without the middle cones, so grey has a dash of its own.
"""


def look(arm: str) -> dict[str, Any]:
    """Colour by mixer; without a short convolution a line is dashed."""
    return {
        "color": COLOURS[arm.split("+")[0]],
        "linestyle": "-" if "conv" in arm.split("+") else "--",
    }


def open_without_conv(arm: str) -> dict[str, Any]:
    """A dot of an arm: filled with a short convolution, open without."""
    colour = look(arm)["color"]
    filled = look(arm)["linestyle"] == "-"
    return {"color": colour, "markerfacecolor": colour if filled else "white"}


def title(arm: str) -> str:
    """An arm's name in words."""
    return " + ".join(WORDS[word] for word in arm.split("+"))
