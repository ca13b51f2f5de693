"""Colours of confidence."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.messages import Person
from remi_stream.render import skeleton
from remi_stream.render.colours import CONFIDENCE_COLOURS, UNKNOWN_COLOUR, confidence_colours, joint_scores, track_colour
from tests.browser.replay import preview
from tests.sample import bodies, person


def test_colours_go_from_red_over_amber_to_green_and_unknown_is_grey() -> None:
    colours = confidence_colours(np.array([0.0, 0.5, 1.0, np.nan, 0.25, 7.0]))
    assert [tuple(colour) for colour in colours[:4]] == [*CONFIDENCE_COLOURS, UNKNOWN_COLOUR]
    assert tuple(colours[4]) == pytest.approx(np.mean(CONFIDENCE_COLOURS[:2], axis=0), abs=1)
    assert tuple(colours[5]) == CONFIDENCE_COLOURS[2]


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (person(keypoint_scores=np.full(24, 0.4, np.float32)), 0.4),
        (person(1, "blazepose33", 33, keypoint_scores=np.full(33, 0.4, np.float32)), 0.4),
        (person(1, "halpe26", 26, joints_skeleton="h36m17", joints_m=np.zeros((17, 3), np.float32)), np.nan),
        (person(1, "coco17", 17, joints_skeleton="h36m17"), np.nan),
        (person(1, "halpe26", 26, joints_skeleton="smpl24", joints_m=np.zeros((24, 3), np.float32)), 1.0),
        (person(1, "blazepose33", 33, joints_m=np.zeros((0, 3), np.float32)), None),
    ],
)
def test_scores_are_those_of_the_joints_that_are_drawn(seen: Person, known: float | None) -> None:
    scores = joint_scores(seen)
    assert len(scores) == len(seen.joints_m)
    np.testing.assert_allclose(scores, np.full(len(scores), known if known is not None else 0.0, np.float32))


@pytest.mark.parametrize(("rated", "colour"), [(False, track_colour(1)), (True, CONFIDENCE_COLOURS[2])])
def test_bones_in_the_image_are_coloured_by_person_or_by_confidence(rated: bool, colour: tuple[int, int, int]) -> None:
    points = np.tile([[200.0, 200.0]], (24, 1)).astype(np.float32)
    points[1:] = (800, 500)
    image = np.zeros((360, 640, 3), np.uint8)
    skeleton.draw_preview_skeletons(image, preview(0), bodies(people=[person(keypoints_px=points)]), by_confidence=rated)
    assert (image == colour).all(axis=2).sum() > 50
