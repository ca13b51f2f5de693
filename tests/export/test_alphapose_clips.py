"""Clips from AlphaPose's results: one per track, of people without track ids too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream.errors import UsageError
from remi_stream.export.alphapose import frame_numbers, read_alphapose_clips


def result_of(image: str | int, value: float, score: float = 2.0, joints: int = 17, **more: Any) -> dict[str, Any]:
    """A person with all key points at (value, -value)."""
    return {"image_id": image, "keypoints": [value, -value, 0.9] * joints, "score": score, **more}


def results(folder: Path, people: list[Any]) -> Path:
    path = folder / "alphapose-results.json"
    path.write_text(json.dumps(people))
    return path


@pytest.mark.parametrize("joints", [17, 26, 136])
def test_one_person_is_followed_and_gaps_are_filled(tmp_path: Path, joints: int) -> None:
    people = [("3.jpg", 1, 2.0), ("4.jpg", 2, 3.1), ("7.jpg", 8, 1.0)]
    (clip,) = read_alphapose_clips(results(tmp_path, [result_of(*each, joints=joints, idx=[[0.0]]) for each in people]))
    assert (clip.name, clip.size, clip.frames.tolist()) == ("alphapose-results", None, [3, 4, 5, 6, 7])
    assert clip.keypoints_px.shape == (5, 17, 2)
    np.testing.assert_allclose(clip.keypoints_px[:, 3, 0], [1, 2, 4, 6, 8])
    np.testing.assert_allclose(clip.keypoints_px[:, 3, 1], [-1, -2, -4, -6, -8])


@pytest.mark.parametrize("with_box", [True, False])
def test_several_people_without_track_ids_are_a_clip_each_and_none_jumps(tmp_path: Path, with_box: bool) -> None:
    people = []
    for frame in range(30):
        # two people, 400 px apart, walk on; who scores best, and who is first in the file, changes from frame to frame
        places = [(100 + 3 * frame, 2.0 + frame % 2), (500 - 2 * frame, 2.5)]
        for x, score in places if frame % 3 else places[::-1]:
            if frame in (10, 11, 12) and x < 300:
                continue  # missed for three frames
            body = np.column_stack([x + np.arange(17) % 4 * 20, np.arange(17) * 15, np.full(17, 0.9)])
            box = {"box": [x - 10.0, -5.0, 80.0, 250.0]} if with_box else {}
            people.append({"image_id": f"{frame}.jpg", "keypoints": body.ravel().tolist(), "score": score, **box, "idx": [[0.0]]})
    clips = read_alphapose_clips(results(tmp_path, people))
    assert sorted(clip.name for clip in clips) == ["alphapose-results-1", "alphapose-results-2"]
    assert sorted(float(clip.keypoints_px[0, 0, 0]) for clip in clips) == [100, 500]
    for clip in clips:
        assert clip.frames.tolist() == list(range(30))
        assert np.abs(np.diff(clip.keypoints_px, axis=0)).max() <= 3.01


def test_every_track_is_a_clip(tmp_path: Path) -> None:
    people = [("0.jpg", 1, 2.0, 1), ("0.jpg", 5, 1.0, [2]), ("1.jpg", 2, 1.0, [[1.0], [3.0]]), ("2.jpg", 7, 1.0, [[2.0]])]
    clips = read_alphapose_clips(results(tmp_path, [result_of(*each[:3], idx=each[3]) for each in people]))
    assert [(clip.name, clip.frames.tolist()) for clip in clips] == [
        ("alphapose-results-1", [0, 1]),
        ("alphapose-results-2", [0, 1, 2]),
    ]
    np.testing.assert_allclose(clips[1].keypoints_px[:, 0, 0], [5, 6, 7])


def test_order_in_the_file_does_not_matter(tmp_path: Path) -> None:
    (clip,) = read_alphapose_clips(results(tmp_path, [result_of(f"{frame}.jpg", frame) for frame in (10, 9, 2, 11)]))
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
    people = [result_of("0.jpg", 1, idx=ids), result_of("1.jpg", 2, idx=ids), result_of("1.jpg", 3, idx=99)]
    names = [clip.name for clip in read_alphapose_clips(results(tmp_path, people))]
    assert names == [f"alphapose-results-{track:g}", "alphapose-results-99"]


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ([], "shows no person"),
        ([result_of("0.jpg", 1, joints=21)], "has people of 21 key points; known are 17, 26, 136"),
        ([{"image_id": "0.jpg"}], "it must be a list of AlphaPose results"),
        ([result_of("0.jpg", 1), result_of("581781.jpg", 1)], "not images of one video"),
    ],
)
def test_wrong_results_are_reported_in_one_line(tmp_path: Path, people: list[Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        read_alphapose_clips(results(tmp_path, people))
    assert "\n" not in str(error.value)
