"""Motion trails and confidence colours in the scene."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from remi_stream.render.colours import CONFIDENCE_COLOURS
from remi_stream.render.floor import FloorEstimator
from remi_stream.sinks.live_view import REMOVE_AFTER_S
from remi_stream.sinks.web.figure import FADED_COLOUR, TRAIL_S, linear_from_srgb, trail_joints, trail_segments
from remi_stream.sinks.web.gate import ViewerServer
from remi_stream.sinks.web.scene import ScenePeople
from tests.sample import bodies, person
from tests.sinks.web.server import closed_server

COLOUR = (63, 176, 178)


@pytest.fixture(scope="module")
def server() -> Iterator[ViewerServer]:
    started = closed_server()
    yield started
    started.stop()


def test_trail_fades_with_age_and_leaves_out_unknown_joints() -> None:
    path = np.arange(9, dtype=float).reshape(3, 1, 3) * np.ones((1, 2, 1))
    path[0, 1] = np.nan
    points, colours = trail_segments(path, np.array([TRAIL_S, 1.0, 0.0]), COLOUR)
    assert points.shape == colours.shape == (3, 2, 3)
    assert colours[0, 0].tolist() == FADED_COLOUR.tolist()
    assert tuple(colours[1, 1]) == COLOUR
    assert np.isfinite(points).all()


def test_trail_is_two_seconds_long_restarts_after_a_gap_and_is_removed_with_its_person(server: ViewerServer) -> None:
    people = ScenePeople(server.scene, "/a")

    def move(at: float, trail: bool = True) -> None:
        people.update(bodies(captured_at=at), FloorEstimator(), at, skin=True, bones=False, trail=trail)

    for k in range(120):
        move(10 + k / 30)
    line = server.scene.get_handle_by_name("/a/person-0-trail")
    assert line is not None
    samples = len(line.points) / 3 + 1  # type: ignore[attr-defined]
    assert 0.7 * TRAIL_S * 10 < samples <= TRAIL_S * 10 + 1
    move(20.0)
    move(20.2)
    assert len(line.points) == 3  # type: ignore[attr-defined]
    move(20.3, trail=False)
    assert not line.visible
    move(20.4)
    move(20.6)
    assert line.visible
    people.remove_stale(20.6 + REMOVE_AFTER_S)
    assert not line.visible


@pytest.mark.parametrize(
    ("skeleton", "joints", "known"),
    [("smpl24", 24, 3), ("blazepose33", 33, 3), ("h36m17", 17, 3), ("point", 1, 0), ("new", 5, 0)],
)
def test_trail_of_a_person_without_smpl_is_of_pelvis_and_wrists(skeleton: str, joints: int, known: int) -> None:
    marks = trail_joints(person(1, skeleton, joints, smpl=None))
    assert marks.shape == (3, 3)
    assert np.isfinite(marks).all(1).sum() == known


def test_bones_are_coloured_by_confidence_on_request(server: ViewerServer) -> None:
    people = ScenePeople(server.scene, "/b")
    for rated, colour in ((False, COLOUR), (True, CONFIDENCE_COLOURS[2]), (False, COLOUR)):
        people.update(bodies(captured_at=1.0), FloorEstimator(), 1.0, skin=False, bones=True, by_confidence=rated)
        bones = server.scene.get_handle_by_name("/b/person-0/bones")
        assert bones is not None
        assert (bones.colors == linear_from_srgb(np.array(colour))).all()  # type: ignore[attr-defined]
