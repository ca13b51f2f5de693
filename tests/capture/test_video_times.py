"""Times of a video's frames: missing, in disorder, starting again, jumping; offline and live."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from remi_stream.capture.files import VideoFileSource
from remi_stream.capture.footage import FrameSelection
from remi_stream.capture.video_reader import VideoClock, VideoReader
from remi_stream.recordings.results import open_results
from tests.offline.seer import opened, worked

JUMP = [*range(0, 10_000, 1000), *range(21_000, 41_000, 1000)]
"""Times of 30 frames, 1/1000 s: after the tenth they jump forward by 12 s."""


def make_clip(
    path: Path,
    frames: int = 30,
    codec: str = "libx264",
    rate: Fraction = Fraction(30),
    b_frames: int = 0,
    times: Sequence[int] | None = None,
    gop: int = 250,
) -> Path:
    """Write a clip whose frame n is of grey 4 n + 60, so that each shows its number; times: 1/1000 s."""
    options = {"bf": str(b_frames), "b_strategy": "0", "x265-params": "log-level=none"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options if b_frames or codec == "libx265" else {"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = gop
        if times:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number + 60, np.uint8), format="bgr24")
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def joined(path: Path, parts: int = 2) -> Path:
    """A TS file twice in a row, as `cat` joins them."""
    path.write_bytes(make_clip(path.with_name("part.ts"), b_frames=2).read_bytes() * parts)
    return path


def read_times(path: Path, fps: float | None = None) -> np.ndarray:
    """Times of all frames, s; checks that they come in the order in which they are shown."""
    reader = VideoReader(path, fps)
    reader.open()
    found = [(time_s, reader.image(frame)) for time_s, frame in reader.frames()]
    reader.close()
    greys = [int(image.mean()) for _, image in found if image is not None]
    assert len(greys) == len(found)
    assert all(after >= before or after < before - 50 for before, after in pairwise(greys))  # joined: begins again
    return np.array([time_s for time_s, _ in found])


@pytest.mark.parametrize(
    ("name", "codec", "b_frames"),
    [
        ("a.h264", "libx264", 0),
        ("a.264", "libx264", 2),
        ("a.hevc", "libx265", 0),
        ("a.avi", "libx264", 2),
        ("a.avi", "mpeg4", 2),
        ("a.avi", "libx264", 0),
        ("a.mkv", "libx264", 2),
        ("a.ts", "libx264", 2),
        ("a.mp4", "libx264", 2),
    ],
)
def test_frames_of_every_container_have_their_times(
    name: str, codec: str, b_frames: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = read_times(make_clip(tmp_path / name, codec=codec, b_frames=b_frames))
    np.testing.assert_allclose(times, np.arange(30) / 30, atol=1e-3)
    is_raw = name in ("a.h264", "a.264", "a.hevc")
    lines = [f"{name} has no times; 30 frames per second are assumed. Another rate: --fps"] if is_raw else []
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == lines


def test_times_that_start_again_go_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    times = read_times(joined(tmp_path / "joined.ts", parts=3))
    np.testing.assert_allclose(times, np.arange(90) / 30, atol=1e-3)
    assert [record.message for record in caplog.records if "joined.ts" in record.message] == [
        "joined.ts has times that go back by 0.97 s at 1.00 s; its frame rate is used there. Another rate: --fps"
    ]


def test_jump_forward_is_left_out_and_a_pause_is_kept(tmp_path: Path) -> None:
    jump = [*range(0, 400, 40), *range(3_600_000, 3_600_400, 40)]
    times = read_times(make_clip(tmp_path / "a.mkv", frames=20, times=jump, rate=Fraction(25)))
    np.testing.assert_allclose(times, np.arange(20) / 25, atol=2e-3)
    pause = [*range(0, 400, 40), *range(8000, 8400, 40)]
    times = read_times(make_clip(tmp_path / "b.mkv", frames=20, times=pause, rate=Fraction(25)))
    np.testing.assert_allclose(times, np.array(pause) / 1000, atol=2e-3)


def test_fps_replaces_the_times_offline_and_live(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.h264")
    np.testing.assert_allclose(read_times(path, 50.0), np.arange(30) / 50)
    footage = opened(path, FrameSelection(fps=50.0, start_s=0.2, end_s=0.3))
    assert footage.fps == 50
    take = open_results(worked(footage, tmp_path / "out").folder)
    assert [bodies.frame_id for bodies in take.frames] == [10, 11, 12, 13, 14]
    assert (take.fps, take.source_fps) == (50, 50)
    source = VideoFileSource(path, realtime=False, loop=True, fps=50.0)
    source.open()
    np.testing.assert_allclose([source.read().pts for _ in range(70)], np.arange(70) / 50)  # type: ignore[union-attr]


def test_every_frame_of_a_raw_stream_and_of_an_avi_is_in_the_take_at_its_time(tmp_path: Path) -> None:
    for name in ("raw.h264", "b.avi"):
        done = worked(opened(make_clip(tmp_path / name, b_frames=2)), tmp_path / "out")
        times = [bodies.captured_at for bodies in open_results(done.folder).frames]
        np.testing.assert_allclose(times, np.arange(30) / 30, atol=1e-9)


def test_slow_source_is_read_in_pieces_of_a_second(tmp_path: Path) -> None:
    """A read that sleeps for ten seconds would be taken for one that hangs, and its process killed again and again."""
    source = VideoFileSource(make_clip(tmp_path / "a.mp4", frames=3, rate=Fraction(1, 2)), realtime=True, loop=False)
    source.open()
    found: list[tuple[float, float]] = []
    while len(found) < 2:
        started_at = time.monotonic()
        captured = source.read()
        assert time.monotonic() - started_at < 1.5
        if captured:
            found.append((captured.pts, captured.captured_at))
    assert found[1][0] == 2.0
    assert found[1][1] - found[0][1] == pytest.approx(2.0, abs=0.3)
    slow = read_times(make_clip(tmp_path / "b.mp4", frames=4, rate=Fraction(1, 10)))
    np.testing.assert_allclose(slow, [0, 10, 20, 30], atol=1e-2)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ([5.0, 5.1, 5.2], [0, 0.1, 0.2]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([None, 0.1, 0.2], [0, 0.1, 0.2]),
        ([0, 0.1, None, 0.3], [0, 0.1, 0.2, 0.3]),
        ([0, 0.1, 0.2, 0, 0.1], [0, 0.1, 0.2, 0.2125, 0.225]),  # as far as it is disorder; see below for more
        ([9, 9.1, 9.2, 0, 0.1, 0.2], [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ([0, 0.1, 0.2, 0.2, 0.4], [0, 0.1, 0.2, 0.2125, 0.4]),
        ([0, 0.1, 1e6, 1e6 + 0.1], [0, 0.1, 0.2, 0.3]),
    ],
)
def test_clock_goes_forward(raw: list[float | None], expected: list[float]) -> None:
    clock = VideoClock(10.0)
    np.testing.assert_allclose([clock.next_time_s(time_s)[0] for time_s in raw], expected, atol=1e-6)


def test_clock_goes_forward_whatever_the_file_says() -> None:
    noise = np.random.default_rng(0)
    for _ in range(50):
        clock = VideoClock(float(noise.choice([0, 0.1, 25, 1000])))
        times = [clock.next_time_s(None if noise.random() < 0.1 else float(noise.normal(0, 10.0 ** noise.integers(-3, 6))))[0]
                 for _ in range(200)]  # fmt: skip
        assert times[0] == 0
        assert (np.diff(times) > 0).all()


def test_playback_finds_the_frames_of_joined_and_of_raw_videos(tmp_path: Path) -> None:
    from remi_stream.recordings.video import open_playback_video

    jumps = [make_clip(tmp_path / f"jump.{suffix}", times=JUMP, gop=5) for suffix in ("mp4", "mkv")]
    for path in (joined(tmp_path / "joined.ts"), make_clip(tmp_path / "raw.h264"), make_clip(tmp_path / "a.mp4"), *jumps):
        take = open_results(worked(opened(path), tmp_path / "out").folder)
        video = open_playback_video(tmp_path, take, 25)
        assert video
        assert video.advance_to(take.frames[25], time.monotonic() + 20)
        image = video.image_of(take.frames[25])
        assert image is not None, path.name
        assert image.mean() == pytest.approx(4 * 25 + 60, abs=4), path.name
        video.close()


@pytest.mark.parametrize(("times", "gop"), [(JUMP, 5), (JUMP, 250), (range(0, 30_000, 1000), 15), (range(0, 30_000, 1000), 5)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_have_the_same_times_after_a_seek(suffix: str, times: Sequence[int], gop: int, tmp_path: Path) -> None:
    path = make_clip(tmp_path / f"a.{suffix}", times=times, gop=gop)
    used = VideoReader(path)
    used.open()
    expected = {round(time_s, 2): used.image(frame).mean() for time_s, frame in used.frames()}  # type: ignore[union-attr]
    fresh = VideoReader(path)
    fresh.open()
    for reader in (fresh, used):
        reader.seek(25.0)
        found = {round(time_s, 2): reader.image(frame).mean() for time_s, frame in reader.frames()}  # type: ignore[union-attr]
        assert min(found) <= 25.0
        assert found == {at: expected[at] for at in found}
        assert max(found) == max(expected)
        has_jump = times is JUMP
        assert (min(found) == 0) == (has_jump or gop == 250), "it seeks where it can"
        reader.close()


def test_frame_that_the_decoder_silently_drops_delays_no_others_for_ever(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.avi", frames=40, b_frames=2, gop=10)
    data = bytearray(path.read_bytes())
    at = data.index(b"movi") + 4
    for _ in range(10):  # to the second key frame: without it the frames that need it are not put out
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        at += at % 2
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    data[at + 8 : at + 8 + size] = b"\0\0\0\1\x09\x10" + b"\xff" * (size - 6)
    path.write_bytes(data)
    reader = VideoReader(path)
    reader.open()
    found = [(round(time_s * 30), reader.image(frame).mean()) for time_s, frame in reader.frames()]  # type: ignore[union-attr]
    reader.close()
    assert reader.decoded + reader.broken < 40, "the decoder says nothing of some"
    assert found[-1][0] == 39
    for number, grey in found[-20:]:
        assert grey == pytest.approx(4 * number + 60, abs=4)
