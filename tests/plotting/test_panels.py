import numpy as np
import pytest
from matplotlib.colors import to_rgba

from feedrun.maths import stats
from feedrun.plotting import panels
from feedrun.plotting.style import BLUE, RED

VALUES = np.random.default_rng(0).normal(size=(5, 4))


def test_a_band_reaches_from_end_to_end_of_the_interval():
    _, (ax,) = panels.row(3, 2)
    panels.band(ax, np.arange(4), VALUES, color=BLUE, lw=3)
    corners = ax.collections[0].get_paths()[0].vertices
    low, high = stats.mean_interval(VALUES[:, 2])
    drawn = corners[corners[:, 0] == 2][:, 1]
    assert (drawn.min(), drawn.max()) == pytest.approx((low, high))
    assert ax.lines[0].get_linewidth() == 3


def test_on_a_logarithmic_axis_a_band_stays_positive():
    _, (ax,) = panels.row(3, 2)
    panels.band(ax, [0], np.array([[0.1], [5.0], [0.2]]), positive=True)
    assert ax.collections[0].get_paths()[0].vertices[:, 1].min() == pytest.approx(0.1)


def test_two_repeats_have_no_interval():
    mean, low, high = panels.intervals(VALUES[:2])
    assert (mean == low).all() and (mean == high).all()


def test_points_carry_bars_along_their_axis():
    _, (ax,) = panels.row(3, 2)
    panels.points(ax, np.arange(4), VALUES, along="x", color=RED)
    first = ax.collections[0].get_segments()[0]
    assert first[:, 0] == pytest.approx(stats.mean_interval(VALUES[:, 0]))
    assert (first[:, 1] == 0).all()


def test_the_legend_names_each_label_once():
    fig, axes = panels.row(6, 2, 2)
    for ax in axes:
        ax.plot([0, 1], label="same")
    panels.legend(fig)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["same"]


def test_ticks_of_a_logarithmic_axis_are_plain_numbers():
    fig, (ax,) = panels.row(3, 2)
    ax.set(xscale="log", xlim=(10, 1000))
    panels.plain(ax.xaxis)
    fig.canvas.draw()
    assert "100" in [tick.get_text() for tick in ax.get_xticklabels()]


def test_seeds_are_dots_and_a_bar_at_their_mean():
    _, (ax,) = panels.row(3, 2)
    panels.seeds(ax, VALUES[:, 0], 1.0, color=BLUE)
    assert len(ax.collections[0].get_offsets()) == 5
    assert ax.lines[0].get_xdata() == pytest.approx([VALUES[:, 0].mean()] * 2)


def test_the_legend_stands_outside_of_the_panels_with_references_last():
    fig, (ax,) = panels.row(5, 2)
    for label in ("Bayes", "network"):
        ax.plot([0, 1], label=label)
    panels.legend(fig, place="beside", last=["Bayes"])
    fig.canvas.draw()
    (drawn,) = fig.legends
    assert [text.get_text() for text in drawn.get_texts()] == ["network", "Bayes"]
    assert drawn.get_window_extent().x0 >= ax.get_window_extent().x1


def test_without_labels_there_is_no_legend():
    fig, (ax,) = panels.row(3, 2)
    ax.plot([0, 1])
    panels.legend(fig)
    assert fig.legends == []


def test_a_band_of_any_range_takes_the_colour_and_the_marker_of_its_line():
    _, (ax,) = panels.row(3, 2)
    panels.ribbon(ax, [0, 1], [0, 0], [1, 1], [2, 2], color=RED, marker="s", fill=0.2)
    (area,) = ax.collections
    assert ax.lines[0].get_marker() == "s"
    assert area.get_facecolor()[0] == pytest.approx(to_rgba(RED, 0.2))
