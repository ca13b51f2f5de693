"""People in the viser scene, and rates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from remi_stream.messages import Person
from remi_stream.render.floor import FloorEstimator
from remi_stream.sinks.live_view import REMOVE_AFTER_S, RateHistory
from remi_stream.sinks.web.gate import ViewerServer
from remi_stream.sinks.web.scene import ScenePeople
from tests.sample import bodies, person
from tests.sinks.web.server import closed_server


@pytest.fixture(scope="module")
def server() -> Iterator[ViewerServer]:
    started = closed_server()
    yield started
    started.stop()


def move(scene_people: ScenePeople, now: float, *people: Person) -> None:
    scene_people.update(bodies(captured_at=now, people=list(people)), FloorEstimator(), now, skin=True, bones=False)
    scene_people.remove_stale(now)


def shown(server: ViewerServer, name: str) -> bool:
    handle = server.scene.get_handle_by_name(name)
    return handle is not None and handle.visible


def test_track_without_bodies_for_half_a_second_fades_and_is_removed(server: ViewerServer) -> None:
    scene_people = ScenePeople(server.scene, "/a")
    move(scene_people, 10.0, person(1))
    assert shown(server, "/a/person-0")
    scene_people.remove_stale(10.0 + REMOVE_AFTER_S * 0.75)
    skin = server.scene.get_handle_by_name("/a/person-0/skin")
    assert skin is not None
    assert skin.opacity == pytest.approx(0.5)  # type: ignore[attr-defined]
    move(scene_people, 10.4, person(1))
    assert skin.opacity is None  # type: ignore[attr-defined]
    scene_people.remove_stale(10.4 + REMOVE_AFTER_S)
    assert scene_people.track_ids == []
    assert not shown(server, "/a/person-0")


def test_node_of_a_removed_track_is_reused(server: ViewerServer) -> None:
    scene_people = ScenePeople(server.scene, "/b")
    for track_id in range(1, 40):
        move(scene_people, 10.0 * track_id, person(track_id), person(track_id + 100))
    assert scene_people.track_ids == [39, 139]
    assert shown(server, "/b/person-0")
    assert shown(server, "/b/person-1")
    assert server.scene.get_handle_by_name("/b/person-4") is None


@pytest.mark.parametrize("skeleton", ["point", "smpl24", "unknown"])
def test_person_without_smpl_is_shown_as_joints(server: ViewerServer, skeleton: str) -> None:
    scene_people = ScenePeople(server.scene, "/c")
    joints = 24 if skeleton == "smpl24" else 1
    move(scene_people, 10.0, person(1, skeleton, joints, smpl=None))
    assert shown(server, "/c/person-0/joints")
    assert server.scene.get_handle_by_name("/c/person-0/skin") is None
    scene_people.clear()


def test_joints_that_are_not_numbers_are_left_out(server: ViewerServer) -> None:
    joints_m = np.full((24, 3), np.nan, np.float32)
    joints_m[:2] = 1
    scene_people = ScenePeople(server.scene, "/d")
    move(scene_people, 10.0, person(1, smpl=None, joints_m=joints_m))
    cloud = server.scene.get_handle_by_name("/d/person-0/joints")
    assert cloud is not None
    assert cloud.points.shape == (2, 3)  # type: ignore[attr-defined]
    move(scene_people, 10.1, person(1, smpl=None, joints_m=joints_m[:0], skeleton="blazepose33"))


def test_rates_are_those_of_the_last_two_seconds() -> None:
    rates = RateHistory()
    for frame in range(90):
        rates.add(captured_at=frame / 30, now=frame / 30 + 0.05)
    assert rates.sample_if_due(3.0)
    assert not rates.sample_if_due(3.1)
    latest = rates.samples[-1]
    assert latest.fps == pytest.approx(30, abs=1)
    assert latest.p50_ms == pytest.approx(50)
    assert rates.sample_if_due(9.0)
    assert rates.samples[-1].fps == 0
    assert np.isnan(rates.samples[-1].p50_ms)
    assert rates.series()[0].tolist() == [-6.0, 0.0]
