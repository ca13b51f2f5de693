"""Webcams: set to MJPG, unplugged, plugged in again, missing, busy, forbidden."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from remi_stream.capture import webcam
from remi_stream.capture.live import CameraUnavailable, LiveSource
from remi_stream.capture.source import CapturedImage
from remi_stream.capture.webcam import Webcam
from remi_stream.errors import RemiError
from tests.capture.fake_camera import FakeDevice


@pytest.fixture
def device(tmp_path: Path) -> FakeDevice:
    return FakeDevice(tmp_path / "video0")


@pytest.fixture
def source(device: FakeDevice) -> Iterator[LiveSource]:
    source = LiveSource(Webcam(str(device.path), (64, 48), 25, device.video_capture))
    yield source
    source.close()


def next_frame(source: LiveSource) -> CapturedImage:
    for _ in range(10):
        captured = source.read()
        if captured:
            return captured
    raise AssertionError("no frame")


def test_camera_is_set_to_mjpg_size_rate_and_the_smallest_buffer(device: FakeDevice, source: LiveSource) -> None:
    device.expose()
    source.open()
    assert next_frame(source).pixels.shape == (48, 64, 3)
    requested = device.settings
    assert requested[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert requested[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert next(iter(requested)) == cv2.CAP_PROP_FOURCC
    assert source.fps == 25


def test_unplugged_camera_is_reconnecting_and_comes_back_by_itself(device: FakeDevice, source: LiveSource) -> None:
    device.expose()
    source.open()
    assert next_frame(source).pixels[0, 0, 0] == 1
    assert source.state == "live"
    device.unplug()
    assert source.read() is None
    assert source.state == "reconnecting"
    device.plug_in()
    device.expose(2)
    assert next_frame(source).pixels[0, 0, 0] == 2
    assert source.state == "live"


def test_camera_that_was_open_stays_unplugged_however_often_it_is_tried(device: FakeDevice) -> None:
    webcam = Webcam(str(device.path), (64, 48), 25, device.video_capture)
    device.expose()
    frames = webcam.read_frames()
    next(frames)
    device.unplug()
    for attempt in (frames, webcam.read_frames(), webcam.read_frames()):
        with pytest.raises(CameraUnavailable, match=r"^unplugged$"):
            next(attempt)


def test_camera_without_more_frames_is_opened_again(device: FakeDevice, source: LiveSource) -> None:
    device.expose()
    source.open()
    next_frame(source)
    assert source.read() is None
    device.expose(5)
    assert next_frame(source).pixels[0, 0, 0] >= 2


def test_first_frames_may_be_broken(device: FakeDevice, source: LiveSource) -> None:
    device.broken = 3
    device.expose(4)
    source.open()
    assert next_frame(source).pixels[0, 0, 0] == 1


def test_missing_camera_is_one_line_with_the_available_ones(device: FakeDevice, source: LiveSource) -> None:
    device.unplug()
    with pytest.raises(RemiError, match=r"No camera .*video0; .*Plug it in, then: remi-stream cameras"):
        source.open()


def test_busy_camera_names_the_process_that_uses_it(device: FakeDevice, source: LiveSource) -> None:
    device.busy = True
    code = "import sys, time; file = open(sys.argv[1]); print(flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code, str(device.path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(RemiError, match=rf"in use by process {other.pid} \(python"):
            source.open()
    finally:
        other.kill()
        other.wait()


def test_camera_without_a_frame_that_no_process_uses_names_the_command(device: FakeDevice, source: LiveSource) -> None:
    device.busy = True
    with pytest.raises(RemiError, match=r"opens but gives no frame.*remi-stream cameras"):
        source.open()


def test_forbidden_camera_says_which_group_to_join(
    device: FakeDevice, source: LiveSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webcam.os, "access", lambda *_: False)
    with pytest.raises(RemiError, match=r"may not open camera .*video0.*usermod -aG video"):
        source.open()


def test_cv2_timeout_is_set_before_cv2_is_imported() -> None:
    code = (
        "import os, sys\n"
        "class Spy:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cv2': print(os.environ['OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT'])\n"
        "sys.meta_path.insert(0, Spy())\n"
        "import remi_stream.process.worker, remi_stream.process.source_loop\n"
        "import remi_stream.process.stage_loop, remi_stream.process.stage_loop\n"
        "import remi_stream.capture.stage, remi_stream.capture.webcam\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.stdout.splitlines()[:1], done.stderr) == (["2"], "")
