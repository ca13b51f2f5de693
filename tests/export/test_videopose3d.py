"""VideoPose3D's files are read as its tools write them, without running code from them."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream.errors import RemiError, UsageError
from remi_stream.export.clip import KeypointClip, make_clip
from remi_stream.export.videopose3d import joint_files, read_videopose3d_clips, write_joints
from remi_stream.models.array_files import read_npz
from remi_stream.skeletons import JOINT_NAMES

META = {
    "layout_name": "coco",
    "num_joints": 17,
    "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
}


def points(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 600, (frames, 17, 2)).astype(np.float32)


def custom(path: Path, videos: dict[str, Any], **metadata: Any) -> Path:
    """A custom data set, as VideoPose3D's script writes it."""
    sizes = {name: {"w": 640, "h": 480} for name in videos}
    metadata = {**META, "video_metadata": sizes, **metadata}
    np.savez_compressed(path, positions_2d=np.array(videos, dtype=object), metadata=np.array(metadata, dtype=object))
    return path


def ragged(rows: list[Any]) -> np.ndarray:
    """Lists of different lengths, as the detector's script stores them: (frames, 2) objects."""
    kept = np.empty((len(rows), 2), object)
    for index, row in enumerate(rows):
        kept[index, 0], kept[index, 1] = [], row
    return kept


def detected(path: Path, people: list[list[tuple[float, np.ndarray]]], **more: Any) -> Path:
    """A detector's file: the people of each frame as score and key points (17, 2)."""
    boxes = [np.array([[0, 0, 9, 9, score] for score, _ in frame], np.float32) for frame in people]
    keypoints = [np.array([np.vstack([p.T, np.full((2, 17), 0.5)]) for _, p in frame], np.float32) for frame in people]
    metadata = np.array({"w": 640, "h": 480}, dtype=object)
    arrays: dict[str, Any] = {"boxes": ragged(boxes), "keypoints": ragged(keypoints), "segments": ragged([None] * len(people))}
    np.savez_compressed(path, **arrays, metadata=metadata, **more)
    return path


def test_data_set_gives_a_clip_for_each_video(tmp_path: Path) -> None:
    one, other = points(5), points(3, 1)
    clips = read_videopose3d_clips(
        custom(tmp_path / "data_2d_custom_x.npz", {"a.mp4": {"custom": [one]}, "b.mp4": {"custom": [other]}})
    )
    assert [(clip.name, clip.size) for clip in clips] == [("a.mp4", (640, 480)), ("b.mp4", (640, 480))]
    np.testing.assert_array_equal(clips[0].keypoints_px, one)
    np.testing.assert_array_equal(clips[1].frames, [0, 1, 2])
    assert clips[0].keypoints_px.dtype == np.float32


def test_actions_and_cameras_of_a_video_have_names_of_their_own(tmp_path: Path) -> None:
    clips = read_videopose3d_clips(custom(tmp_path / "x.npz", {"S1": {"walk": [points(2), points(2)], "sit": [points(4)]}}))
    assert [clip.name for clip in clips] == ["S1-walk-0", "S1-walk-1", "S1-sit-0"]


def test_detector_gives_the_best_person_and_fills_gaps_evenly(tmp_path: Path) -> None:
    first, last, other = points(1, 1)[0], points(1, 2)[0], points(1, 3)[0]
    people = [[], [(0.5, other), (0.9, first)], [], [], [(0.8, last)], []]
    (clip,) = read_videopose3d_clips(detected(tmp_path / "clip.mp4.npz", people))
    assert (clip.name, clip.size, len(clip.frames)) == ("clip.mp4", (640, 480), 6)
    expected = [first, first, first + (last - first) / 3, first + (last - first) * 2 / 3, last, last]
    np.testing.assert_allclose(clip.keypoints_px, expected, rtol=1e-5)


def test_empty_lists_of_a_detector_mean_no_person(tmp_path: Path) -> None:
    path = detected(tmp_path / "a.npz", [[(0.9, points(1)[0])], [(0.9, points(1)[0])]])
    arrays = read_npz(path, with_objects=True)
    arrays["boxes"][1][1], arrays["keypoints"][1][1] = [], []
    lists = {name: ragged([row[1] for row in arrays[name]]) for name in ("boxes", "keypoints")}
    np.savez(path, **lists, metadata=np.array(arrays["metadata"], dtype=object))
    assert len(read_videopose3d_clips(path)[0].frames) == 2


@pytest.mark.parametrize("skeleton", ["coco17", "halpe136", "blazepose33"])
def test_recorded_track_is_read_by_the_names_of_its_joints(tmp_path: Path, skeleton: str) -> None:
    names = JOINT_NAMES[skeleton]
    tall = np.arange(3 * len(names) * 2, dtype=np.float32).reshape(3, len(names), 2)
    track: dict[str, Any] = {
        "keypoints_px": tall,
        "skeleton": np.array(skeleton),
        "epochs": np.ones(3),
        "frame_ids": np.array([10, 11, 13]),
    }
    np.savez(tmp_path / "track-000001.npz", **track)
    (clip,) = read_videopose3d_clips(tmp_path / "track-000001.npz")
    assert (clip.name, clip.size, clip.frames.tolist()) == ("track-000001", None, [10, 11, 12, 13])
    wanted = tall[:, [names.index(name) for name in JOINT_NAMES["coco17"]]]
    np.testing.assert_allclose(clip.keypoints_px[[0, 1, 3]], wanted)
    np.testing.assert_allclose(clip.keypoints_px[2], (wanted[1] + wanted[2]) / 2)


def test_every_start_of_the_camera_is_a_clip_of_its_own(tmp_path: Path) -> None:
    epochs, frames = np.array([7, 7, 3, 3, 3]), np.array([4, 5, 0, 1, 2])
    np.savez(tmp_path / "t.npz", keypoints_px=points(5), skeleton=np.array("coco17"), epochs=epochs, frame_ids=frames)
    assert [(clip.name, clip.frames.tolist()) for clip in read_videopose3d_clips(tmp_path / "t.npz")] == [
        ("t-1", [4, 5]),
        ("t-2", [0, 1, 2]),
    ]


def test_frames_that_are_not_numbers_are_missing_frames(tmp_path: Path) -> None:
    holes = points(4)
    holes[1, 3] = np.nan
    (clip,) = read_videopose3d_clips(custom(tmp_path / "x.npz", {"a": {"custom": [holes]}}))
    np.testing.assert_allclose(clip.keypoints_px[1], (holes[0] + holes[2]) / 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("videos", "metadata", "says"),
    [
        ({"a": {"custom": [points(4)[:, :16]]}}, {}, r"a has key points of shape \(4, 16, 2\), expected \(frames, 17, 2\)"),
        ({"a": {"custom": [points(4)]}}, {"layout_name": "h36m"}, "its joints are those of h36m, not of coco"),
        ({"a": {"custom": [np.full((4, 17, 2), np.nan)]}}, {}, "a shows no person"),
        ({"a": {"custom": [points(4)[:0]]}}, {}, "a shows no person"),
        ({"a": [points(4)]}, {}, "It must be data_2d_custom"),
    ],
)
def test_wrong_data_set_is_reported_in_one_line(tmp_path: Path, videos: Any, metadata: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says) as told:
        read_videopose3d_clips(custom(tmp_path / "x.npz", videos, **metadata))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"boxes": np.zeros(3)}, "cannot be used"),
        ({"keypoints_px": points(2), "skeleton": np.array("smpl24")}, "skeleton smpl24 has not all joints of coco17"),
        ({"joints": points(2), "axes": np.zeros(3)}, "holds axes, joints. It must be data_2d_custom"),
    ],
)
def test_archive_of_something_else_is_reported_in_one_line(tmp_path: Path, content: Any, says: str) -> None:
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(UsageError, match=says) as told:
        read_videopose3d_clips(tmp_path / "x.npz")
    assert "\n" not in str(told.value)


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": ()})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("positions_2d.npy", head.getvalue() + pickle.dumps(Evil(tmp_path / "made"), protocol))
    with pytest.raises(UsageError, match=r"would run code when it is read \(it asks for (posix|os|nt)\.mkdir\); it is refused"):
        read_videopose3d_clips(tmp_path / "x.npz")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_objects_of_every_protocol_are_read(tmp_path: Path, protocol: int) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": ()})
    content = np.array({"a": [points(2)], "wide": np.float64(3), "b": np.asfortranarray(points(2)[0])}, dtype=object)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue() + pickle.dumps(content, protocol))
    found = read_npz(tmp_path / "x.npz", with_objects=True)["x"]
    np.testing.assert_array_equal(found["a"][0], points(2))
    np.testing.assert_array_equal(found["b"], points(2)[0])
    assert found["wide"] == 3


def test_cut_missing_or_foreign_file_is_reported_in_one_line(tmp_path: Path) -> None:
    whole = custom(tmp_path / "x.npz", {"a": {"custom": [points(40)]}}).read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / f"{name}.npz").write_bytes(content)
        with pytest.raises(UsageError, match=r"is truncated or damaged, or not an .npz archive") as told:
            read_videopose3d_clips(tmp_path / f"{name}.npz")
        assert "\n" not in str(told.value)
    with pytest.raises(UsageError, match=r"no\.npz cannot be read: No such file or directory"):
        read_videopose3d_clips(tmp_path / "no.npz")


def test_what_is_not_one_video_is_refused() -> None:
    with pytest.raises(UsageError, match="a person in 2 of 581643 frames; these are not images of one video"):
        make_clip("coco", np.array([139, 581781]), points(2))


def test_joints_are_written_as_published_and_with_their_names(tmp_path: Path) -> None:
    joints = np.random.default_rng(0).normal(size=(4, 17, 3))
    clip = KeypointClip("a.mp4", points(4), np.arange(4), (640, 480))
    written = write_joints(joints, clip, tmp_path / "a.b", "somewhere")
    assert written == joint_files(tmp_path / "a.b") == [tmp_path / "a.b.npy", tmp_path / "a.b.npz"]
    plain = np.load(written[0], allow_pickle=False)
    assert (plain.shape, plain.dtype) == ((4, 17, 3), np.float32)
    with np.load(written[1], allow_pickle=False) as named:
        np.testing.assert_array_equal(named["joints_m"], plain)
        assert named["joint_names"].tolist() == list(JOINT_NAMES["h36m17"])
        assert named["parents"].tolist() == [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15]
        assert named["size"].tolist() == [640, 480]


def test_joints_that_cannot_be_written_are_reported_in_one_line(tmp_path: Path) -> None:
    clip = KeypointClip("a", points(1), np.arange(1), (640, 480))
    with pytest.raises(RemiError, match="cannot be written: No such file or directory"):
        write_joints(np.zeros((1, 17, 3)), clip, tmp_path / "gone" / "a", "x")
