"""VideoPose3D's files of a take, read with NumPy as VideoPose3D does."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from remi_stream.errors import RemiError
from remi_stream.export import videopose3d
from remi_stream.export.registry import EXPORT_FORMATS
from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.messages import Person
from remi_stream.recordings.take import Take
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices
from tests.clip import truth
from tests.export.sample_take import SIZE, bodies, flat, pictures, somebody, take_of


def scored(person: Person, score: float) -> Person:
    return msgspec.structs.replace(person, native={"detected_score": np.array([score], np.float32)})


def best(k: int) -> list[Person]:
    """Person 2 has the better score in frame 1; frames 2 and 3 have no people."""
    if k in (2, 3):
        return []
    return [scored(flat(k, "coco17", 1), 0.6), scored(flat(k, "coco17", 2), 0.9 if k == 1 else 0.5)]


def points(k: int, track_id: int) -> np.ndarray:
    return flat(k, "coco17", track_id).keypoints_px


def loaded(take: Take, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    [path] = EXPORT_FORMATS["videopose3d-2d"].write(take, folder)
    assert path == folder / "data_2d_custom_sample.npz"
    assert list(folder.iterdir()) == [path]
    with np.load(path, allow_pickle=True) as data:
        assert data.files == ["positions_2d", "metadata"]
        return data["positions_2d"].item(), data["metadata"].item()


def test_key_points_are_as_videopose3d_prepares_a_data_set_of_ones_own(tmp_path: Path) -> None:
    positions, metadata = loaded(take_of(best, 6), tmp_path)
    assert list(positions) == ["sample.clip.mp4"]
    assert list(positions["sample.clip.mp4"]) == ["custom"]
    [found] = positions["sample.clip.mp4"]["custom"]
    assert (found.dtype, found.shape) == (np.float32, (6, 17, 2))
    assert metadata == {
        "layout_name": "coco",
        "num_joints": 17,
        "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
        "video_metadata": {"sample.clip.mp4": {"w": 1280, "h": 720}},
    }


def test_best_person_of_each_frame_is_taken_and_gaps_are_straight(tmp_path: Path) -> None:
    [found] = loaded(take_of(best, 6), tmp_path)[0]["sample.clip.mp4"]["custom"]
    for row, expected in ((0, points(0, 1)), (1, points(1, 2)), (4, points(4, 1)), (5, points(5, 1))):
        np.testing.assert_array_equal(found[row], expected)
    np.testing.assert_allclose(found[2], points(1, 2) * 2 / 3 + points(4, 1) / 3, rtol=1e-5)


def test_before_the_first_and_after_the_last_frame_a_person_stands_still(tmp_path: Path) -> None:
    [found] = loaded(take_of(lambda k: [flat(k, "coco17")] if k in (2, 3) else [], 6), tmp_path)[0]["sample.clip.mp4"]["custom"]
    np.testing.assert_array_equal(found[[0, 1, 4, 5]], [points(2, 1)] * 2 + [points(3, 1)] * 2)


def test_larger_skeletons_give_cocos_joints_only(tmp_path: Path) -> None:
    take = take_of(lambda k: [flat(k, "halpe136")])
    [found] = loaded(take, tmp_path)[0]["sample.clip.mp4"]["custom"]
    np.testing.assert_array_equal(found[1], take.frames[1].people[0].keypoints_px[:17])


def test_folder_of_images_is_called_by_its_name(tmp_path: Path) -> None:
    assert list(loaded(pictures(take_of(best, 2), ["a.jpg", "b.jpg"]), tmp_path)[0]) == ["sample"]


def test_take_without_people_is_a_data_set_without_a_video(tmp_path: Path) -> None:
    assert loaded(take_of(lambda k: []), tmp_path)[0] == {}


def test_file_can_be_lifted_is_known_to_every_numpy_and_has_the_same_bytes_again(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        EXPORT_FORMATS["videopose3d-2d"].write(take_of(best, 6), tmp_path / folder)
    one, other = (tmp_path / folder / "data_2d_custom_sample.npz" for folder in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    [clip] = videopose3d.read_videopose3d_clips(one)
    assert (clip.name, clip.size, clip.keypoints_px.shape) == ("sample.clip.mp4", SIZE, (6, 17, 2))
    with zipfile.ZipFile(one) as archive:
        data = archive.read("positions_2d.npy")
    pickled = data[10 + int.from_bytes(data[8:10], "little") :]
    assert b"numpy._core" not in pickled
    assert "numpy.core.multiarray _reconstruct" in {str(each[1]) for each in pickletools.genops(pickled)}


def lifted(k: int, track_id: int) -> Person:
    joints = np.random.default_rng(k).normal(0, 1, (17, 3)).astype(np.float32)
    return msgspec.structs.replace(flat(k, "coco17", track_id), joints_m=joints, joints_skeleton="h36m17")


def test_lifted_joints_are_written_around_the_hip_one_file_a_person(tmp_path: Path) -> None:
    take = take_of(lambda k: [lifted(k, 4)] + [lifted(k + 10, 5)] * (k in (1, 4)), 6)
    paths = EXPORT_FORMATS["videopose3d-3d"].write(take, tmp_path)
    assert [path.name for path in paths] == [
        "joints3d-000004.npy",
        "joints3d-000004.npz",
        "joints3d-000005.npy",
        "joints3d-000005.npz",
    ]
    found = np.load(tmp_path / "joints3d-000004.npy")
    assert (found.dtype, found.shape) == (np.float32, (6, 17, 3))
    joints = np.stack([lifted(k, 4).joints_m for k in range(6)])
    np.testing.assert_allclose(found, joints - joints[:, :1], atol=1e-6)
    late = np.load(tmp_path / "joints3d-000005.npy")
    first, last = (lifted(k, 5).joints_m for k in (11, 14))
    np.testing.assert_allclose(late[1], ((first - first[0]) * 2 + (last - last[0])) / 3, atol=1e-6)
    with np.load(tmp_path / "joints3d-000005.npz") as named:
        assert named["frames"].tolist() == [1, 2, 3, 4]
        assert named["joint_names"].tolist() == list(JOINT_NAMES["h36m17"])


def test_joints_of_a_body_are_h36ms(tmp_path: Path) -> None:
    EXPORT_FORMATS["videopose3d-3d"].write(take_of(lambda k: [somebody(k)]), tmp_path)
    found = np.load(tmp_path / "joints3d-000001.npy").astype(float)
    assert found.shape == (5, 17, 3)
    joints = truth()["joints_m"][:5]
    hip = joints[:, joint_indices("smpl24", ("left_hip", "right_hip"))].mean(1, keepdims=True)
    limbs = joints[:, joint_indices("smpl24", LIMB_JOINTS)] - hip
    np.testing.assert_allclose(found[:, joint_indices("h36m17", LIMB_JOINTS)], limbs, atol=1e-4)
    assert not found[:, 0].any()
    spine, thorax, nose, head = (found[:, JOINT_NAMES["h36m17"].index(name)] for name in ("spine", "thorax", "neck_nose", "head"))
    up = matrices_from_axis_angle(truth()["poses"][:5, :3].astype(float))[:, :, 1]  # of the trunk
    heights = [(part * up).sum(1).mean() for part in (spine, thorax, nose, head)]
    assert heights == sorted(heights)
    assert 0.1 < heights[0] < 0.4 < heights[1] < 0.7
    assert 0.15 < np.linalg.norm(head - nose, axis=1).mean() < 0.3


def test_frames_that_were_left_out_are_no_rows(tmp_path: Path) -> None:
    take = Take("sample", SIZE, 30.0, [bodies(k, [somebody(k)], 5 * k) for k in range(3)])
    EXPORT_FORMATS["videopose3d-3d"].write(take, tmp_path)
    assert np.load(tmp_path / "joints3d-000001.npy").shape == (3, 17, 3)
    with np.load(tmp_path / "joints3d-000001.npz") as named:
        assert named["frames"].tolist() == [0, 5, 10]


def test_people_without_joints_in_space_are_reported(tmp_path: Path) -> None:
    with pytest.raises(RemiError, match="No one in sample has a SMPL pose"):
        EXPORT_FORMATS["videopose3d-3d"].write(take_of(lambda k: [flat(k, "coco17")]), tmp_path)
    assert EXPORT_FORMATS["videopose3d-3d"].write(take_of(lambda k: []), tmp_path) == []
