"""The room: its floor under the feet, and virtual cameras that see all people."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.messages import Bodies, Person
from remi_stream.render.room import SceneRoom, fit_room
from tests.render.people import frame, somebody

PLACES = [(x, 0.3, z) for x in (-2.0, 0.0, 2.0) for z in (3.0, 5.0, 7.0)]


def walked(pitch: float = 0.0) -> list[Bodies]:
    """A person at nine positions, for a camera pitched downwards, rad."""
    turn = matrices_from_axis_angle(np.array([pitch, 0, 0])).astype(np.float32)
    people = [somebody(1, place) for place in PLACES]
    return [frame(number, people=[turned(person, turn)]) for number, person in enumerate(people)]


def turned(person: Person, turn: np.ndarray) -> Person:
    return msgspec.structs.replace(person, joints_m=person.joints_m @ turn.T)


def heights(frames: list[Bodies], room: SceneRoom) -> np.ndarray:
    """Height of each person's lowest joint above the floor."""
    joints = np.stack([bodies.people[0].joints_m for bodies in frames])
    return ((joints @ room.axes[1]) - room.low[1]).min(1)


@pytest.mark.parametrize("pitch", [0.0, 0.2, -0.1])
def test_floor_is_a_sole_under_the_feet_however_the_camera_is_held(pitch: float) -> None:
    frames = walked(pitch)
    room = fit_room(frames)
    assert np.abs(heights(frames, room) - 0.03).max() < 0.03
    assert math.isclose(math.asin(room.axes[1][2]), -pitch, abs_tol=0.02)


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (200, 200)])
@pytest.mark.parametrize("yaw", [0.0, 0.6, math.pi / 2])
def test_virtual_cameras_see_all_people_in_the_room(size: tuple[int, int], yaw: float) -> None:
    frames = walked()
    camera = fit_room(frames).virtual_camera(yaw, 0.2, size)
    points = camera.project(np.concatenate([bodies.people[0].joints_m for bodies in frames]))
    assert (points > 0).all()
    assert (points < size).all()
    extent = (points.max(0) - points.min(0)) / size
    assert extent.max() > 0.6, "the room is not shown too small"


def test_view_from_the_right_has_far_points_on_the_right_and_up_is_up() -> None:
    camera = fit_room(walked()).virtual_camera(math.pi / 2, 0.1, (640, 360))
    near, far, above = camera.project(np.array([[0, 0.3, 3], [0, 0.3, 7], [0, -0.7, 3.0]]))
    assert near[0] < far[0]
    assert above[1] < near[1]


def test_place_on_the_floor_is_under_a_point() -> None:
    room = fit_room(walked(0.1))
    points = np.array([[0.5, -1.0, 4.0], [0.0, 0.5, 6.0]])
    under = room.on_floor(points)
    assert np.allclose(under @ room.axes[1], room.low[1])
    assert np.allclose((points - under) @ room.axes[[0, 2]].T, 0)


def test_room_without_people_can_be_drawn() -> None:
    camera = fit_room([frame(people=[])]).virtual_camera(0.5, 0.2, (64, 48))
    assert np.isfinite(camera.position).all()
