"""Clips from AlphaPose's results: the best person of each frame, or one clip per track."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream.errors import UsageError
from remi_stream.export.alphapose import frame_numbers, read_alphapose_clips


def somebody(image: str | int, value: float, score: float = 2.0, joints: int = 17, **more: Any) -> dict[str, Any]:
    """A person with all key points at (value, -value)."""
    return {"image_id": image, "keypoints": [value, -value, 0.9] * joints, "score": score, **more}


def results(folder: Path, people: list[Any]) -> Path:
    path = folder / "alphapose-results.json"
    path.write_text(json.dumps(people))
    return path


@pytest.mark.parametrize("joints", [17, 26, 136])
def test_best_person_of_each_frame_is_followed_and_gaps_are_filled(tmp_path: Path, joints: int) -> None:
    people = [("3.jpg", 1, 2.0), ("3.jpg", 5, 1.0), ("4.jpg", 9, 1.5), ("4.jpg", 2, 3.1), ("7.jpg", 8, 1.0)]
    (clip,) = read_alphapose_clips(results(tmp_path, [somebody(*each, joints=joints, idx=[[0.0]]) for each in people]))
    assert (clip.name, clip.size, clip.frames.tolist()) == ("alphapose-results", None, [3, 4, 5, 6, 7])
    assert clip.keypoints_px.shape == (5, 17, 2)
    np.testing.assert_allclose(clip.keypoints_px[:, 3, 0], [1, 2, 4, 6, 8])
    np.testing.assert_allclose(clip.keypoints_px[:, 3, 1], [-1, -2, -4, -6, -8])


def test_every_track_is_a_clip(tmp_path: Path) -> None:
    people = [("0.jpg", 1, 2.0, 1), ("0.jpg", 5, 1.0, [2]), ("1.jpg", 2, 1.0, [[1.0], [3.0]]), ("2.jpg", 7, 1.0, [[2.0]])]
    clips = read_alphapose_clips(results(tmp_path, [somebody(*each[:3], idx=each[3]) for each in people]))
    assert [(clip.name, clip.frames.tolist()) for clip in clips] == [
        ("alphapose-results-1", [0, 1]),
        ("alphapose-results-2", [0, 1, 2]),
    ]
    np.testing.assert_allclose(clips[1].keypoints_px[:, 0, 0], [5, 6, 7])


def test_order_in_the_file_does_not_matter(tmp_path: Path) -> None:
    (clip,) = read_alphapose_clips(results(tmp_path, [somebody(f"{frame}.jpg", frame) for frame in (10, 9, 2, 11)]))
    np.testing.assert_allclose(clip.keypoints_px[:, 0, 0], np.arange(2, 12))


@pytest.mark.parametrize(
    ("images", "frames"),
    [
        (["0.jpg", "1.jpg", "10.jpg"], [0, 1, 10]),
        (["walk_0007.png", "walk_0009.png"], [7, 9]),
        ([139, 140], [139, 140]),
        (["a.jpg", "b.jpg", "a.jpg"], [0, 1, 0]),
        (["a1.jpg", "b1.jpg"], [0, 1]),
    ],
)
def test_frames_are_the_numbers_in_the_names_of_a_video(images: list[str | int], frames: list[int]) -> None:
    assert frame_numbers(images) == frames


@pytest.mark.parametrize(("ids", "track"), [(3, 3), ([], 0), ([[4.0], [2.0]], 4), ([[[5]]], 5)])
def test_track_is_that_of_the_pose_that_stayed(tmp_path: Path, ids: Any, track: float) -> None:
    people = [somebody("0.jpg", 1, idx=ids), somebody("1.jpg", 2, idx=ids), somebody("1.jpg", 3, idx=99)]
    names = [clip.name for clip in read_alphapose_clips(results(tmp_path, people))]
    assert names == [f"alphapose-results-{track:g}", "alphapose-results-99"]


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ([], "shows no person"),
        ([somebody("0.jpg", 1, joints=21)], "has people of 21 key points; known are 17, 26, 136"),
        ([{"image_id": "0.jpg"}], "it must be a list of AlphaPose results"),
        ([somebody("0.jpg", 1), somebody("581781.jpg", 1)], "not images of one video"),
    ],
)
def test_wrong_results_are_reported_in_one_line(tmp_path: Path, people: list[Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as told:
        read_alphapose_clips(results(tmp_path, people))
    assert "\n" not in str(told.value)
