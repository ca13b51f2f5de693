"""Somebody whose joints in space are of another skeleton than the key points in the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remi_stream.cli.tail import pelvis_m
from remi_stream.messages import Person, Wire
from remi_stream.sinks.views.floor import Floor
from remi_stream.sinks.web.figure import Figure
from remi_stream.sinks.web.private import PrivateServer
from remi_stream.skeletons import EDGES, JOINTS
from tests.sample import bodies, person
from tests.sinks.recorded import arrays, record

JOINTS_M = (np.random.default_rng(0).normal(size=(17, 3)) + [0, 0, 4]).astype(np.float32)


def lifted(skeleton: str = "halpe26") -> Person:
    count = len(JOINTS[skeleton])
    return person(1, skeleton, count, joints_m=JOINTS_M, joints_skeleton="h36m17", smpl=None)


@pytest.mark.parametrize("somebody", [lifted(), person()])
def test_skeleton_of_the_joints_arrives(somebody: Person) -> None:
    wire = Wire(Person)
    arrived = wire.decode(wire.encode(somebody))
    assert arrived.joints_skeleton == somebody.joints_skeleton
    assert arrived.skeleton_of_joints == (somebody.joints_skeleton or somebody.skeleton)


def test_bones_are_drawn_between_the_joints_of_their_own_skeleton() -> None:
    server = PrivateServer("test")
    try:
        figure = Figure(server.scene, "/a")
        figure.enter(1)
        figure.move(lifted(), Floor(), 1.0, skin=True, bones=True)
        drawn = server.scene.get_handle_by_name("/a/bones").points  # type: ignore[union-attr]
        np.testing.assert_array_equal(drawn, JOINTS_M[np.array(EDGES["h36m17"])])
    finally:
        server.stop()


def test_pelvis_is_between_the_hips_of_the_joints() -> None:
    names = JOINTS["h36m17"]
    np.testing.assert_allclose(pelvis_m(lifted()), JOINTS_M[[names.index("left_hip"), names.index("right_hip")]].mean(0))


def test_recording_says_whose_joints_they_are(tmp_path: Path) -> None:
    folder = record(tmp_path, [bodies(0, people=[lifted()]), bodies(1, people=[person(1, "halpe26", 26, smpl=None)])])
    first, second = (arrays(folder / f"track-000001{suffix}.npz") for suffix in ("", "-2"))
    assert [str(each["skeleton"]) for each in (first, second)] == ["halpe26", "halpe26"]
    assert [str(each["joints_skeleton"]) for each in (first, second)] == ["h36m17", "halpe26"]
    np.testing.assert_array_equal(first["joints_m"][0], JOINTS_M)
