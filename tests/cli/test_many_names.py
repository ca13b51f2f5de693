"""20,000 file names: no list is searched once for each of them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import pytest

from remi_stream.cli.lift import unique_file_stems
from remi_stream.detect.detection_file import read_image_detections
from remi_stream.export.alphapose import read_alphapose_clips
from remi_stream.export.pare import _stems
from remi_stream.morph.files import mesh_names
from remi_stream.recordings.take import Take, smpl_tracks
from remi_stream.render.video import image_names
from tests.sample import bodies, person

NAMES = [f"{number:05d}.jpg" for number in range(20_000)]


@pytest.fixture
def within_two_seconds() -> object:
    started_at = time.process_time()
    yield
    assert time.process_time() - started_at < 2


@pytest.fixture
def within_eight_seconds() -> object:
    started_at = time.process_time()
    yield
    assert time.process_time() - started_at < 8


def test_stems_are_unique(within_two_seconds: None) -> None:
    assert unique_file_stems(["a.mp4", "b.mp4", "a.avi", "a.mov", "a-2.mkv"]) == ["a", "b", "a-2", "a-3", "a-2-2"]
    assert len(set(unique_file_stems(["a.mp4"] * 20_000))) == 20_000
    assert unique_file_stems(NAMES)[-1] == "19999"


def test_exported_images_are_named_by_their_stems(within_two_seconds: None) -> None:
    assert image_names(Take("a", (1, 1), 30.0, [], NAMES))[19_999] == "19999"
    assert image_names(Take("a", (1, 1), 30.0, [], ["a.png", "a.jpg", "b.jpg"])) == {0: "a.png", 1: "a.jpg", 2: "b"}
    assert _stems(NAMES)[-1] == "19999"
    assert mesh_names([Path(name) for name in NAMES])[Path("19999.jpg")] == "19999"


def test_tracks_are_grouped_once(within_eight_seconds: None, tmp_path: Path) -> None:
    keypoints = [1.0, 2.0, 0.9] * 17
    people = [{"image_id": NAMES[k // 4], "keypoints": keypoints, "score": 2, "idx": 990_000 + k} for k in range(20_000)]
    (tmp_path / "a.json").write_text(json.dumps(people))
    names = [clip.name for clip in read_alphapose_clips(tmp_path / "a.json")]
    assert (len(set(names)), names[-1]) == (20_000, "a-1009999")


def test_exported_tracks_are_grouped_once(within_eight_seconds: None) -> None:
    one = person()
    frames = [bodies(k, k / 30, people=[msgspec.structs.replace(one, track_id=k)]) for k in range(20_000)]
    assert smpl_tracks(Take("a", (1, 1), 30.0, frames), "bvh")[-1].name == "track-019999"


def test_boxes_are_matched_by_name(within_two_seconds: None, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps([{"image_id": name, "bbox": [0, 0, 9, 9], "score": 1} for name in NAMES]))
    assert read_image_detections(tmp_path / "d.json", NAMES, NAMES)[1] == ""
