"""Floor estimation, and people standing on the floor."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.body.smpl import load_default_body
from remi_stream.messages import Person
from remi_stream.render.floor import FloorContact, FloorEstimator
from remi_stream.sinks.web.figure import bone_pose
from tests.browser.replay import FPS, person, truth

LEARNT_S = 2.0


def skin(who: Person) -> np.ndarray:
    """Every vertex, m, camera frame."""
    assert who.smpl is not None
    return load_default_body().vertices(who.smpl.global_orient, who.smpl.body_pose, who.smpl.betas, who.smpl.transl)


def test_floor_of_the_sample_is_found_within_three_centimetres_though_the_camera_is_tipped() -> None:
    floor, normal = FloorEstimator(), truth()["floor_plane"]
    misses = []
    for k in range(len(truth()["poses"])):
        who = person(k)
        assert who.smpl is not None
        floor.add_contact(bone_pose(who.smpl, floor.up).lowest, k / FPS)
        floor.update(k / FPS)
        below = who.joints_m[0] - normal[:3] * (who.joints_m[0] @ normal[:3] + normal[3])
        misses.append(floor.height(below))
    settled = np.array(misses[int(LEARNT_S * FPS) :])
    assert np.abs(settled).max() < 0.03
    assert np.degrees(np.arccos(floor.up @ normal[:3])) < 1


def test_person_stands_within_three_centimetres_of_the_floor_in_every_frame_of_the_sample() -> None:
    floor, footing, heights = FloorEstimator(), FloorContact(), []
    for k in range(len(truth()["poses"])):
        who = person(k)
        assert who.smpl is not None
        lowest = bone_pose(who.smpl, floor.up).lowest
        floor.add_contact(lowest, k / FPS)
        floor.update(k / FPS)
        footing.update(floor.height(lowest), k / FPS)
        heights.append(min(floor.height(vertex) for vertex in skin(who)[::7]) + footing.lift_m)
    assert np.abs(heights).max() < 0.03


def test_person_whose_depth_is_wrong_is_put_on_the_floor_within_half_a_second() -> None:
    footing = FloorContact()
    for k in range(15):
        footing.update(-0.2, k / FPS)
    assert footing.lift_m == pytest.approx(0.2, abs=0.005)
    for k in range(15, 30):
        footing.update(0.1, k / FPS)
    assert footing.lift_m == pytest.approx(-0.1, abs=0.02)


def test_camera_looks_along_minus_z_from_above_the_floor() -> None:
    floor = FloorEstimator()
    floor.add_contact(np.array([0.0, 1.1, 3.0]), 0.0)
    floor.update(0.0)
    rotation, position = floor.world_from_camera()
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.allclose(rotation @ (0.0, 1.1, 3.0) + position, (0, 0, -3), atol=1e-6)


def test_one_jump_moves_the_floor_by_less_than_a_centimetre() -> None:
    floor = FloorEstimator()
    for k in range(100):
        floor.add_contact(np.array([0.0, 0.7 if 50 <= k < 56 else 1.1, 3.0 + 0.01 * k]), k / 10)
        floor.update(k / 10)
    assert floor.height(np.array([0.0, 1.1, 3.5])) == pytest.approx(0, abs=0.01)
