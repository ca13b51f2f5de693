"""Limit of the frame rate: which frames it takes, and what the others cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.source import CapturedImage
from remi_stream.capture.stage import CaptureStage, FrameRateLimiter
from remi_stream.config import CameraConfig
from remi_stream.messages import CameraState, Frame


@pytest.mark.parametrize(("fps", "max_fps", "taken"), [(30, 10, 10), (30, 15, 15), (30, 30, 30), (25, 60, 25), (60, 24, 24)])
def test_mean_frame_rate_is_the_limit(fps: int, max_fps: int, taken: int) -> None:
    limit = FrameRateLimiter(max_fps)
    passed = [limit.accepts(index / fps) for index in range(fps * 10)]
    assert sum(passed) / 10 == pytest.approx(taken, rel=0.02)


@given(st.lists(st.floats(0, 0.2), min_size=2, max_size=300), st.floats(1, 60))
def test_frame_rate_never_exceeds_the_limit(gaps: list[float], max_fps: float) -> None:
    limit = FrameRateLimiter(max_fps)
    times = np.cumsum(gaps)
    passed = [at for at in times if limit.accepts(at)]
    assert len(passed) <= (times[-1] - times[0]) * max_fps + 1.5 + 1e-6


def test_without_a_limit_all_frames_pass() -> None:
    limit = FrameRateLimiter(None)
    assert all(limit.accepts(at) for at in (0.0, 0.0, 1.0, 0.5))


class ScriptedSource:
    """A camera of 30 fps: an image for each overrun given, converted only when it is used."""

    description, fps = "scripted", 30.0
    state: CameraState = "live"

    def __init__(self, overruns: list[int]) -> None:
        self.converted: list[int] = []
        self._overruns = overruns
        self._index = -1

    def open(self) -> None: ...

    def close(self) -> None: ...

    def read(self) -> CapturedImage:
        self._index += 1
        if self._index == len(self._overruns):
            raise EOFError
        index = self._index

        def convert() -> np.ndarray:
            self.converted.append(index)
            return np.zeros((1 if index == 6 else 2, 2, 3), np.uint8)

        return CapturedImage(convert, index / 30, index / 30, self._overruns[index])


def frames_of(source: ScriptedSource, camera: CameraConfig, monkeypatch: pytest.MonkeyPatch) -> list[Frame]:
    monkeypatch.setattr("remi_stream.capture.stage.make_source", lambda camera, restarted: source)
    stage = CaptureStage(camera)
    stage.open()
    messages = [message for step in iter(stage.step, None) for message in step or ()]
    return [message for message in messages if isinstance(message, Frame)]


def test_frame_above_the_limit_is_not_converted_and_its_overrun_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ScriptedSource([0, 2, 0, 1, 0, 0, 0, 4])
    frames = frames_of(source, CameraConfig(name="a", source="synthetic:", max_fps=10), monkeypatch)
    assert source.converted == [0, 2, 5]
    assert [(frame.frame_id, frame.skipped) for frame in frames] == [
        (0, {}),
        (3, {"capture/overrun": 2}),
        (5, {"capture/overrun": 1}),
    ]


def test_overrun_of_an_image_of_the_wrong_size_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = frames_of(
        ScriptedSource([0, 0, 0, 0, 0, 0, 5, 1]), CameraConfig(name="a", source="synthetic:", focal_px=2.0), monkeypatch
    )
    assert (frames[-1].frame_id, frames[-1].skipped) == (12, {"capture/overrun": 6})
