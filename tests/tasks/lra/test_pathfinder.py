"""Pathfinder: what is drawn, by an independent look at the pixels; published files in miniature."""

from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from feedrun.tasks.lra import catalogue, paddles, pathfinder, snakes

LOOKS = [(32, 6, 1), (32, 14, 1), (64, 6, 1), (128, 6, 2), (128, 6, 3)]
SMALL: dict[str, Any] = {"length": 1024, "train": 16, "valid": 2, "test": 2}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def plain(side, **changes):
    """Settings without distractors, ink of one brightness."""
    look = pathfinder.settings(side, 6, pathfinder.MARGINS[side][0])
    return look._replace(**{"distractors": 0, "target": 0.5} | changes)


def pieces(mask) -> tuple[np.ndarray, int]:
    """Which connected piece each pixel is of, corners touch; and how many there are."""
    found: Any = ndimage.label(mask, np.ones((3, 3)))
    return found


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_images_have_ink_a_free_frame_and_the_right_range(look):
    settings = pathfinder.settings(*look)
    images = snakes.draw(np.random.default_rng(0), np.arange(20) % 2, settings)
    assert images.shape == (20, look[0], look[0]) and (images.max(axis=(1, 2)) == 255).all()
    short = settings.distractors * settings.distractor_length
    most = (2 * settings.contour_length + short) * settings.paddle_length
    ink = (images > 96).sum(axis=(1, 2))
    wide = max(1, settings.thickness)
    assert (ink > settings.contour_length * settings.paddle_length).all()
    assert (ink < most * (wide + 1) + 2 * np.pi * (settings.marker_radius + 1) ** 2).all()


def test_two_discs_are_drawn_at_ends_of_contours():
    look = plain(64, target=0.3)
    images = snakes.draw(np.random.default_rng(1), np.arange(60) % 2, look)
    counts = np.array([pieces(image > 200)[1] for image in images])
    assert set(counts) <= {1, 2}  # one where they touch
    assert np.mean(counts == 2) > 0.9


def test_the_discs_are_joined_by_a_contour_just_when_the_label_is_one():
    look = plain(128, contour_length=3)
    labels = np.arange(80) % 2
    images = snakes.draw(np.random.default_rng(2), labels, look)
    joined, clear = [], []
    for image in images:
        wide = 2 * look.margin + 3  # closes the gaps along a contour, two margins long
        traced, contours = pieces(ndimage.grey_dilation(image, (wide, wide)) > 40)
        spots, count = pieces(image > 200)
        centres = ndimage.center_of_mass(spots > 0, spots, range(1, count + 1))
        found = {int(traced[tuple(np.rint(place).astype(int))]) for place in centres}
        clear.append(count == 2 and contours == 2)  # neither discs nor contours touch
        joined.append(len(found) == 1)
    clear, joined = np.array(clear), np.array(joined)
    assert clear[labels == 1].sum() > 10 and clear[labels == 0].sum() > 10
    np.testing.assert_array_equal(joined[clear], labels[clear] == 1)


def test_a_more_continuous_contour_is_straighter():
    def reach(continuity):
        look = plain(128, continuity=continuity)
        _, trail = snakes._targets(np.random.default_rng(0), 200, look)
        return np.linalg.norm(trail[-2].start - trail[0].start, axis=1).mean()

    curved, published, straight = reach(1.0), reach(1.8), reach(4.0)
    assert curved < published < straight


def test_the_next_paddle_follows_the_published_chance():
    """Alone in the middle of an image: cos^2(continuity * turn) on the circle."""
    look = plain(64)
    kit, size = paddles.paddles(look), 4000
    start = np.full((size, 2), 32)
    snake = snakes._begun(start, np.full(size, 180), look)  # to the right
    _, new = snakes._extend(
        np.random.default_rng(0), snakes._blank(size, look), np.arange(size), snake, look
    )
    place = new.start - new.pivot
    turn = np.arctan2(place[:, 0], place[:, 1])
    angles = np.arctan2(kit.ends[:, 0], kit.ends[:, 1])
    chance = np.where(np.abs(angles) * 1.8 < np.pi / 2, np.cos(1.8 * angles) ** 2, 0)
    chance /= chance.sum()
    mean = (chance * angles).sum()
    spread = np.sqrt((chance * (angles - mean) ** 2).sum())
    assert abs(turn.mean() - mean) < 4 * spread / size**0.5
    assert set(turn.round(9)) <= set(angles.round(9))


def test_targets_come_out_whole_as_often_as_the_authors_code_has_it():
    """0.2525 of 8,956 pairs, in a one-image-at-a-time port of snakes2.py (64 x 64, easy)."""
    look, rng, size = pathfinder.settings(64, 6, 1), np.random.default_rng(0), 4000
    pairs = snakes._pair(rng, size, look)
    rows, _ = snakes._grow(rng, snakes._blank(size, look), pairs, look.contour_length, look)
    error = (0.2525 * 0.7475 * (1 / size + 1 / 8956)) ** 0.5
    assert abs(len(rows) / size - 0.2525) < 4 * error


def test_labels_are_balanced_and_the_ink_does_not_tell_them():
    task = catalogue.load(
        "pathfinder", length=1024, train=2000, valid=10, test=11, difficulty="easy"
    )
    assert [split.labels.sum() for split in task[:3]] == [1000, 5, 5]
    ink = task.train.tokens.mean(axis=1)
    yes, no = ink[task.train.labels == 1], ink[task.train.labels == 0]
    assert abs(yes.mean() - no.mean()) < 4 * (yes.var() / 1000 + no.var() / 1000) ** 0.5
    assert "32x32, easy" in task.source


def test_a_sheet_has_the_labels_side_by_side():
    images, labels = np.zeros((8, 4, 4), np.uint8), np.arange(8) % 2
    images[labels == 1] = 200
    drawn = pathfinder.sheet(images, labels, rows=2, columns=2)
    assert drawn.shape == (12, 28)
    assert (drawn[1:5, 1:5] == 200).all() and not drawn[1:5, 17:21].any()
    with pytest.raises(ValueError, match="4 images have label 1, not 6"):
        pathfinder.sheet(images, labels, rows=2, columns=3)


def test_wrong_sizes_and_difficulties_are_refused():
    with pytest.raises(ValueError, match="1024, 4096 or 16384"):
        catalogue.load("pathfinder", length=1000, train=1, valid=1, test=1)
    with pytest.raises(ValueError, match="no difficulty 'harder'"):
        catalogue.load("pathfinder", difficulty="harder", **SMALL)


def write(folder, *, count=10):
    """Two batches as published: images of one grey value each, labels by parity, one is empty."""
    for part in ("metadata", "imgs/0", "imgs/10", "imgs/2"):
        (folder / part).mkdir(parents=True)
    for batch in (0, 2, 10):
        lines = []
        for n in range(count):
            path = folder / f"imgs/{batch}/sample_{n}.png"
            Image.fromarray(np.full((32, 32), 10 * n + batch % 7, np.uint8)).save(path)
            lines.append(f"imgs/{batch} sample_{n}.png {n} {n % 2} 1.0 14 4 2 0.5 1 1")
        (folder / f"metadata/{batch}.npy").write_text("\n".join(lines) + "\n")
    (folder / "imgs/0/sample_3.png").write_bytes(b"")


def test_published_images_are_split_in_their_order_and_the_empty_one_is_left_out(tmp_path):
    write(tmp_path / "pathfinder32" / "curv_contour_length_14")
    task = catalogue.load("pathfinder", folder=tmp_path, length=1024, train=23, valid=3, test=3)
    values = [split.tokens[:, 0] - 1 for split in task[:3]]
    for split, value in zip(task[:3], values, strict=True):
        np.testing.assert_array_equal(value // 10 % 2, split.labels)
    assert sorted(values[1]) == [3 + 10 * n for n in (4, 5, 6)]  # batch 10 comes last
    assert sorted(values[2]) == [3 + 10 * n for n in (7, 8, 9)]
    assert "1 unreadable images left out" in task.source
    with pytest.raises(ValueError, match="has 23 images of a split, not 24"):
        catalogue.load("pathfinder", folder=tmp_path, length=1024, train=24, valid=3, test=3)


def test_a_partial_release_names_the_missing_folder(tmp_path):
    write(tmp_path / "pathfinder32" / "curv_baseline")
    with pytest.raises(FileNotFoundError, match=r"no imgs, metadata in .*lra_release.gz"):
        catalogue.load("pathfinder", folder=tmp_path, **SMALL)
    (tmp_path / "pathfinder32/curv_baseline/metadata/2.npy").write_text("imgs/2 sample_0.png 0\n")
    with pytest.raises(ValueError, match=r"2.npy: line 1 is not"):
        catalogue.load("pathfinder", folder=tmp_path, difficulty="easy", **SMALL)
