"""The path of a morph, and its ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remi_stream.body.smpl import load_default_body
from remi_stream.errors import UsageError
from remi_stream.messages import Smpl
from remi_stream.morph.mesh import TriangleMesh
from remi_stream.morph.path import RecordedPose, morph_path, parse_person_reference, read_morph_end
from remi_stream.recordings import results
from tests.morph.meshes import cube
from tests.sample import bodies, person


def pose(**changed: object) -> Smpl:
    """A T-pose with some fields changed."""
    fields = {
        "body": "open",
        "global_orient": np.zeros(3, np.float32),
        "body_pose": np.zeros(69, np.float32),
        "betas": np.zeros(10, np.float32),
        "transl": np.zeros(3, np.float32),
        "joint_confidence": np.ones(24, np.float32),
    }
    return Smpl(**(fields | changed))


def bent(radians: float) -> Smpl:
    """The left elbow bent."""
    body_pose = np.zeros((23, 3), np.float32)
    body_pose[17, 1] = radians
    return pose(body_pose=body_pose.ravel())


def test_meshes_are_interpolated_linearly_and_end_exactly() -> None:
    vertices, faces = cube()
    a, b = TriangleMesh("a", vertices, faces), TriangleMesh("b", vertices * 3 + 1, faces)
    at = morph_path(a, b)
    assert np.array_equal(at(0), a.vertices)
    assert np.array_equal(at(1), b.vertices)
    assert np.allclose(at(0.25), vertices * 1.5 + 0.25)


def test_poses_turn_about_their_joints_so_that_no_limb_shrinks() -> None:
    body = load_default_body()
    at = morph_path(RecordedPose("a", bent(0.0), body), RecordedPose("b", bent(2.0), body))
    for share in (0.0, 0.5, 1.0):
        wanted = RecordedPose("", bent(2.0 * share), body).mesh.vertices
        assert np.abs(at(share) - wanted).max() < 1e-5


def test_poses_turn_the_shorter_way_and_move_evenly() -> None:
    body = load_default_body()
    a = pose(global_orient=np.array([0, 3.0, 0], np.float32))
    b = pose(global_orient=np.array([0, -3.0, 0], np.float32), transl=np.array([2, 0, 0], np.float32))
    half = pose(global_orient=np.array([0, np.pi, 0], np.float32), transl=np.array([1, 0, 0], np.float32))
    at = morph_path(RecordedPose("a", a, body), RecordedPose("b", b, body))
    assert np.abs(at(0.5) - RecordedPose("", half, body).mesh.vertices).max() < 1e-5


def test_a_person_is_upright_in_the_mesh() -> None:
    standing = pose(global_orient=np.array([np.pi, 0, 0], np.float32))
    vertices = RecordedPose("", standing, load_default_body()).mesh.vertices
    head = load_default_body().v_template[:, 1].argmax()
    assert vertices[head, 1] == pytest.approx(vertices[:, 1].max(), abs=1e-3)


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """Results of a video: persons 1 and 4 in frames 0 to 2, 4 in frame 1 only."""
    folder = tmp_path / "walk"
    (folder / results.TAKE_FOLDER).mkdir(parents=True)
    frames = []
    for number in range(3):
        people = [person(1, smpl=bent(0.5 * number))] + [person(4, smpl=bent(0.1))] * (number == 1)
        frames.append(bodies(number, number / 30, people=people))
    results.write_chunk(folder, 0, frames)
    index = results.ResultsIndex(name="walk", size=(640, 480), fps=30, count=3, chunk=3, engine="blazepose", detector="blazepose")
    results.write_results_index(folder, index)
    return folder


def test_recorded_pose_is_read_by_track_and_frame(walk: Path) -> None:
    end = read_morph_end(f"{walk}:1:2")
    assert isinstance(end, RecordedPose)
    assert end.name == "walk-1-2"
    assert np.allclose(end.mesh.vertices, RecordedPose("", bent(1.0), load_default_body()).mesh.vertices)
    first = read_morph_end(f"{walk}:4")
    assert isinstance(first, RecordedPose)
    assert first.name == "walk-4-1"


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("", "has the tracks 1, 4. Choose one: .*walk:1"),
        (":2", "has no track 2 with a SMPL pose, but 1, 4"),
        (":4:2", "Track 4 of .* is not in frame 2, but in 1 frames of 1 to 1"),
    ],
)
def test_missing_track_or_frame_is_reported_in_one_line(walk: Path, which: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_morph_end(f"{walk}{which}")


def test_folder_that_is_no_recording_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a recording"):
        read_morph_end(str(tmp_path))


def test_a_folder_with_a_colon_in_its_name_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "walk:3"
    folder.mkdir()
    assert parse_person_reference(str(folder)) == (folder, None, None)
    assert parse_person_reference(f"{folder}:5:20") == (folder, 5, 20)
    assert parse_person_reference("mesh.obj") == (Path("mesh.obj"), None, None)
