"""Colours are told apart by readers who see no difference of red and green."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from feedrun.plotting import style

DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
"""Linear RGB as it is seen without the middle cones (Machado, Oliveira & Fernandes 2009)."""

MAIN = ("BLUE", "ORANGE", "GREEN", "SKY", "RED", "PINK")


def seen(colour):
    """Lightness and hue in CIELAB as seen without the middle cones."""
    value = np.array(to_rgb(colour))
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(DEUTERANOPIA @ linear, 0, 1)
    xyz = np.array(
        [
            [0.4124, 0.3576, 0.1805],
            [0.2126, 0.7152, 0.0722],
            [0.0193, 0.1192, 0.9505],
        ]
    ) @ linear / [0.9505, 1.0, 1.089]  # fmt: skip
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("pair", itertools.combinations(MAIN, 2), ids="-".join)
def test_the_six_colours_differ_without_the_middle_cones(pair):
    first, second = (seen(getattr(style, name)) for name in pair)
    assert np.linalg.norm(first - second) > 15
