"""Video files: whole, rotated, odd, truncated, or no videos at all."""

from __future__ import annotations

import gc
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from remi_stream.capture.files import VideoFileSource
from remi_stream.capture.frame_image import MAX_LIVE_PIXELS, MAX_PIXELS
from remi_stream.capture.video_reader import VideoReader
from remi_stream.errors import RemiError, UsageError
from remi_stream.paths import data_file
from tests.capture.http_server import jpeg_bomb


def make_video(path: Path, frames: int = 20, size: tuple[int, int] = (64, 48), codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), index * 4, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_all(source: VideoFileSource) -> list[float]:
    source.open()
    times = []
    while True:
        try:
            times.append(source.read().pts)  # type: ignore[union-attr]
        except EOFError:
            source.close()
            return times


def test_every_frame_of_a_file_comes_once_and_in_order(tmp_path: Path) -> None:
    times = read_all(VideoFileSource(make_video(tmp_path / "a.mp4"), realtime=False, loop=False))
    assert np.allclose(times, np.arange(20) / 30, atol=1e-3)


def test_loop_goes_on_without_a_gap_in_time(tmp_path: Path) -> None:
    source = VideoFileSource(make_video(tmp_path / "a.mp4"), realtime=False, loop=True)
    source.open()
    times = [source.read().pts for _ in range(50)]  # type: ignore[union-attr]
    assert np.allclose(np.diff(times), 1 / 30, atol=1e-3)


def test_realtime_frames_come_when_they_are_due(tmp_path: Path) -> None:
    source = VideoFileSource(make_video(tmp_path / "a.mp4"), realtime=True, loop=False)
    source.open()
    started_at = time.monotonic()
    frames_read = [source.read() for _ in range(15)]
    assert 14 / 30 <= frames_read[-1].captured_at - started_at < 14 / 30 + 0.5  # type: ignore[union-attr]
    assert frames_read[-1].captured_at <= time.monotonic()  # type: ignore[union-attr]


def test_odd_image_sizes_are_read(tmp_path: Path) -> None:
    source = VideoFileSource(make_video(tmp_path / "a.mkv", size=(63, 47), codec="ffv1"), realtime=False, loop=False)
    source.open()
    assert source.read().pixels.shape == (47, 63, 3)  # type: ignore[union-attr]


def test_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mkv", frames=60)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    assert 0 < len(read_all(VideoFileSource(cut, realtime=False, loop=False))) < 60


def test_file_without_its_index_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(RemiError, match=r"cannot be read as a video.*complete video file"):
        VideoFileSource(cut, realtime=False, loop=False).open()


@pytest.mark.parametrize("content", [b"", b"no video at all\n" * 100])
def test_other_file_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(RemiError, match="video"):
        read_all(VideoFileSource(tmp_path / "a.mp4", realtime=False, loop=False))


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such video file"):
        VideoFileSource(tmp_path / "none.mp4", realtime=False, loop=False).open()


def test_file_with_sound_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(RemiError, match="no video stream"):
        VideoFileSource(path, realtime=False, loop=False).open()


def test_images_are_freed_without_the_garbage_collector() -> None:
    source = VideoFileSource(data_file("sample.mp4"), realtime=False, loop=True)
    source.open()
    gc.collect()
    gc.disable()
    try:
        for _ in range(40):
            captured = source.read()
            assert captured is not None
            assert captured.pixels is not None
        assert sum(isinstance(each, av.VideoFrame) for each in gc.get_objects()) <= 4
    finally:
        gc.enable()
        source.close()


def test_frame_with_more_pixels_than_allowed_is_skipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "large.mjpeg"
    path.write_bytes(jpeg_bomb() * 2)
    reader = VideoReader(path, max_pixels=MAX_LIVE_PIXELS)
    reader.open()
    assert [frame for _, frame in reader.frames()] == []
    assert reader.broken == 2
    assert "more than 67 megapixels" in caplog.text
    assert VideoReader(path)._max_pixels == MAX_PIXELS
