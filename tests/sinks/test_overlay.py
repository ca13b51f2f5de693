"""The skeleton on the preview image."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from remi_stream.render import skeleton as overlay
from remi_stream.render.colours import TRACK_COLOURS, track_colour
from tests.browser.replay import SIZE, bodies, preview, truth
from tests.sample import person


@pytest.mark.parametrize("k", [0, 60, 100, 140, 220])
def test_drawn_skeleton_lies_on_the_person(k: int) -> None:
    image = overlay.decode_preview(preview(k))
    before = image.copy()
    overlay.draw_preview_skeletons(image, preview(k), bodies(k))
    rows, columns = np.nonzero((image != before).any(axis=2))
    scale = SIZE[0] / image.shape[1]
    drawn = np.stack([columns, rows], axis=1) * scale + (scale - 1) / 2
    joints = truth()["joints_px"][k]
    to_a_mark = np.linalg.norm(joints[:, None] - drawn, axis=2).min(1)
    assert to_a_mark.max() < 8
    assert drawn.min(0) == pytest.approx(joints.min(0), abs=8 + 4 * scale)
    assert drawn.max(0) == pytest.approx(joints.max(0), abs=8 + 4 * scale)


def test_points_are_drawn_at_their_place_in_a_partial_preview() -> None:
    part = preview(0)
    part = msgspec.structs.replace(part, rectangle=(640.0, 0.0, 1280.0, 360.0))
    points = overlay.image_points(np.zeros((360, 640, 3), np.uint8), part, np.array([[640.0, 0.0], [1279.0, 359.0]]))
    assert np.allclose(points, [[0, 0], [639, 359]])


@pytest.mark.parametrize("skeleton", ["point", "unknown"])
def test_infinite_points_of_any_skeleton_change_nothing(skeleton: str) -> None:
    image = overlay.decode_preview(preview(0))
    before = image.copy()
    odd = person(skeleton=skeleton, joints=1, smpl=None, keypoints_px=np.array([[np.nan, np.inf]], np.float32))
    overlay.draw_preview_skeletons(image, preview(0), msgspec.structs.replace(bodies(0), people=[odd]))
    assert np.array_equal(image, before)


def test_colour_stays_with_a_track_and_neighbours_differ() -> None:
    assert track_colour(3) == track_colour(3)
    assert len({track_colour(track) for track in range(1, len(TRACK_COLOURS) + 1)}) == len(TRACK_COLOURS)
