"""The optional preview video: every preview at its capture time."""

from __future__ import annotations

import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from remi_stream.messages import Frame
from remi_stream.recordings.finish import JOURNAL_FOLDER, recover_recording
from remi_stream.recordings.index import PREVIEW_FILE
from remi_stream.recordings.recording import CameraRecording
from tests.recordings.recorded import arrays, newest, record, recorder
from tests.sample import bodies

TIMES = [0.0, 0.1, 0.17, 0.5, 2.5]


def preview(frame_id: int, captured_at: float, width: int = 320, height: int = 181) -> Frame:
    """A grey preview, brighter from frame to frame."""
    image = np.full((height, width, 3), 40 + 40 * frame_id, np.uint8)
    jpeg = cv2.imencode(".jpg", image)[1].reshape(-1)
    return Frame(
        camera="front",
        epoch=1,
        frame_id=frame_id,
        captured_at=captured_at,
        image=jpeg,
        encoding="jpeg",
        size=(1280, 724),
        rectangle=(0.0, 0.0, 1280.0, 724.0),
    )


def watch(video: Path) -> list[tuple[float, int, tuple[int, int]]]:
    """Time, brightness and size of each frame of a video."""
    with av.open(str(video)) as container:
        pictures = list(container.decode(video=0))
    return [
        (float(picture.time), round(float(picture.to_ndarray(format="gray").mean())), (picture.width, picture.height))
        for picture in pictures
    ]


def test_video_shows_each_preview_when_it_was_captured(tmp_path: Path) -> None:
    pictures = [preview(k, 100.0 + at) for k, at in enumerate(TIMES)]
    recording = record(tmp_path, [bodies(), *pictures])
    shown = watch(recording / PREVIEW_FILE)
    assert [at for at, *_ in shown] == pytest.approx(TIMES, abs=1e-3)
    assert [brightness for _, brightness, _ in shown] == pytest.approx([40, 80, 120, 160, 200], abs=4)
    assert {size for *_, size in shown} == {(320, 180)}
    listed = arrays(recording / "preview.npz")
    assert listed["frame_ids"].tolist() == [0, 1, 2, 3, 4]
    assert listed["shown_at"] == pytest.approx(TIMES, abs=1e-4)


def test_camera_that_comes_back_in_another_size_goes_on_in_the_same_video(tmp_path: Path) -> None:
    pictures = [preview(0, 100.0), preview(1, 100.1, 640, 360)]
    shown = watch(record(tmp_path, [bodies(), *pictures]) / PREVIEW_FILE)
    assert [size for *_, size in shown] == [(320, 180), (320, 180)]


def test_video_of_a_killed_recorder_can_be_watched(tmp_path: Path) -> None:
    recording = CameraRecording(tmp_path, "front")
    for k in range(5):
        recording.add_bodies(bodies(k))
        recording.add_preview(preview(k, 100 + k / 10))
    recording.flush()
    recording._journal.close()
    index = recover_recording(newest(tmp_path))
    assert index.preview == PREVIEW_FILE
    assert not (newest(tmp_path) / JOURNAL_FOLDER).exists()
    assert len(watch(newest(tmp_path) / PREVIEW_FILE)) >= 4


def test_previews_without_bodies_begin_no_recording(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        made.step(preview(0, time.monotonic()))
    assert list(tmp_path.iterdir()) == []
