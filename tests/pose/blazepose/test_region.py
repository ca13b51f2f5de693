"""The region of interest that follows a person."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.pose.landmarks import MAX_GAP_S, Roi, roi_from_box, roi_from_points, update_roi_filter

STANDING = np.array([[200.0, 300.0], [200.0, 200.0]])
FRAME_S = 1 / 30


def test_standing_person_has_an_upright_region_around_the_hips() -> None:
    region = roi_from_points(STANDING)
    np.testing.assert_allclose(region.center, [200, 300])
    assert (region.size, region.angle) == pytest.approx((250, 0))


@pytest.mark.parametrize(("head", "degrees"), [((100, 0), 90), ((-100, 0), -90), ((70, -70), 45)])
def test_region_turns_with_the_person(head: tuple[float, float], degrees: float) -> None:
    region = roi_from_points(np.array([[200.0, 300.0], [200.0 + head[0], 300.0 + head[1]]]))
    assert np.degrees(region.angle) == pytest.approx(degrees)
    above = region.to_image(np.array([[0.5, 0.1]]))[0] - region.center
    np.testing.assert_allclose(above / np.linalg.norm(above), np.array(head) / np.linalg.norm(head), atol=1e-9)


def test_first_roi_contains_the_whole_box() -> None:
    region = roi_from_box(np.array([100, 50, 260, 450.0]))
    corners = region.to_image(np.array([[0, 0], [1, 1]]))
    assert (corners[0] <= [100, 50]).all()
    assert (corners[1] >= [260, 450]).all()


def test_still_person_is_followed_without_moving() -> None:
    follower = update_roi_filter(None, STANDING, 0.0)
    for k in range(1, 20):
        follower = update_roi_filter(follower, STANDING, k * FRAME_S)
    np.testing.assert_allclose(follower.filtered, STANDING)


def test_trembling_is_smoothed_and_a_walk_is_followed() -> None:
    random = np.random.default_rng(0)
    tremble = [STANDING + random.normal(0, 0.5, (2, 2)) for _ in range(60)]
    walk = [STANDING + [k * 8.0, 0] for k in range(60)]

    def followed(seen: list[np.ndarray]) -> np.ndarray:
        follower, smooth = None, []
        for k, points in enumerate(seen):
            follower = update_roi_filter(follower, points, k * FRAME_S)
            smooth.append(follower.filtered)
        return np.array(smooth)

    assert np.diff(followed(tremble), axis=0)[10:].std() < 0.7 * np.diff(np.array(tremble), axis=0)[10:].std()
    assert np.abs(followed(walk)[-1] - walk[-1]).max() < 10


def test_person_who_was_lost_for_long_is_not_smoothed() -> None:
    before = update_roi_filter(None, STANDING, 0.0)
    after = update_roi_filter(before, STANDING + 300, MAX_GAP_S + 0.1)
    np.testing.assert_array_equal(after.filtered, STANDING + 300)


def test_box_of_a_region_lies_in_its_middle() -> None:
    np.testing.assert_allclose(Roi(np.array([50.0, 60.0]), 125.0, 0.3).box(), [0, 10, 100, 110])
