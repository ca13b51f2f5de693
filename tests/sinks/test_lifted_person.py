"""A person with 3D joints of another skeleton than that of the key points in the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remi_stream.cli.status import pelvis_m
from remi_stream.messages import MessageCodec, Person
from remi_stream.render.floor import FloorEstimator
from remi_stream.sinks.web.figure import PersonNode
from remi_stream.skeletons import BONES, JOINT_NAMES
from tests.recordings.recorded import arrays, record
from tests.sample import bodies, person
from tests.sinks.web.server import closed_server

JOINTS_M = (np.random.default_rng(0).normal(size=(17, 3)) + [0, 0, 4]).astype(np.float32)


def lifted(skeleton: str = "halpe26") -> Person:
    count = len(JOINT_NAMES[skeleton])
    return person(1, skeleton, count, joints_m=JOINTS_M, joints_skeleton="h36m17", smpl=None)


@pytest.mark.parametrize("sent", [lifted(), person()])
def test_joints_skeleton_survives_encoding(sent: Person) -> None:
    wire = MessageCodec(Person)
    arrived = wire.decode(wire.encode(sent))
    assert arrived.joints_skeleton == sent.joints_skeleton
    assert arrived.effective_joints_skeleton == (sent.joints_skeleton or sent.skeleton)


def test_bones_are_drawn_between_the_joints_of_their_own_skeleton() -> None:
    server = closed_server()
    try:
        figure = PersonNode(server.scene, "/a")
        figure.assign(1)
        figure.update(lifted(), FloorEstimator(), 1.0, skin=True, bones=True)
        drawn = server.scene.get_handle_by_name("/a/bones").points  # type: ignore[union-attr]
        np.testing.assert_array_equal(drawn, JOINTS_M[np.array(BONES["h36m17"])])
    finally:
        server.stop()


def test_pelvis_is_between_the_hips_of_the_joints() -> None:
    names = JOINT_NAMES["h36m17"]
    np.testing.assert_allclose(pelvis_m(lifted()), JOINTS_M[[names.index("left_hip"), names.index("right_hip")]].mean(0))


def test_recording_contains_the_skeleton_of_the_joints(tmp_path: Path) -> None:
    folder = record(tmp_path, [bodies(0, people=[lifted()]), bodies(1, people=[person(1, "halpe26", 26, smpl=None)])])
    first, second = (arrays(folder / f"track-000001{suffix}.npz") for suffix in ("", "-2"))
    assert [str(each["skeleton"]) for each in (first, second)] == ["halpe26", "halpe26"]
    assert [str(each["joints_skeleton"]) for each in (first, second)] == ["h36m17", "halpe26"]
    np.testing.assert_array_equal(first["joints_m"][0], JOINTS_M)
