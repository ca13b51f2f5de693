"""`cameras`, and `webcam` and `rtsp` without a usable camera."""

from __future__ import annotations

import json
import time

import pytest

from remi_stream.capture.webcam import VideoDevice, VideoMode
from remi_stream.cli import lists
from tests.cli.test_bad_input import assert_one_line, remi

SECRET = "s3cret-Pa55"
CAMERA = VideoDevice(
    "/dev/video0", "Cam", (VideoMode("MJPG", 1280, 720, (30.0, 15.0)), VideoMode("YUYV", 640, 480, ())), "", ("7 (zoom)",)
)
LOCKED = VideoDevice("/dev/video2", "Other", fault="permission denied")


def test_cameras_and_their_modes_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(lists, "list_devices", lambda: [CAMERA, LOCKED])
    assert lists.cameras() == 0
    assert capsys.readouterr().out.splitlines() == [
        "/dev/video0  Cam, in use by 7 (zoom)",
        "  MJPG 1280x720 at 30, 15 fps",
        "  YUYV 640x480",
        "/dev/video2  Other: permission denied. Join the group: sudo usermod -aG video $USER, then log in again",
    ]


def test_cameras_are_one_json_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(lists, "list_devices", lambda: [CAMERA])
    assert lists.cameras(as_json=True) == 0
    (camera,) = json.loads(capsys.readouterr().out)
    assert camera["modes"][0] == {"format": "MJPG", "width": 1280, "height": 720, "fps": [30, 15]}


def test_machine_without_cameras_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(lists, "list_devices", list)
    assert lists.cameras() == 0
    assert capsys.readouterr().out.startswith("No camera found")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["webcam", "desk"], ["'desk' is not a camera", "remi-stream cameras"]),
        (["webcam", "--size", "big"], ["'big' is not a size", "1280x720"]),
        (["webcam", "--rotate", "45"], ["`cameras[0].rotate` is 45; allowed: 0, 90, 180 or 270"]),
        (["webcam", "--focal", "900", "--calibration", "x.yaml"], ["both set the focal length"]),
        (["rtsp", f"ftp://joe:{SECRET}@cam/x"], ["begins with ftp://", "allowed: rtsp://", "http://"]),
        (["rtsp", f"rtsp://joe:{SECRET}#@cam/x"], ["is not a camera URL", "REMI_RTSP_PASSWORD"]),
        (["rtsp", "rtsp://cam/x", "--transport", "smoke"], ["`cameras[0].transport` is 'smoke'; allowed: tcp or udp"]),
    ],
)
def test_mistake_in_the_command_line_is_one_line_and_shows_no_secret(arguments: list[str], words: list[str]) -> None:
    result = remi(*arguments)
    assert_one_line(result, 2, *words)
    assert SECRET not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["webcam", "/dev/video63"], 3, ["No camera /dev/video63", "remi-stream cameras"]),
        (["rtsp", "rtsp://127.0.0.1:9/x", "--calibration", "none.yaml"], 2, ["No such calibration file: none.yaml"]),
    ],
)
def test_camera_that_cannot_be_used_is_one_line(arguments: list[str], code: int, words: list[str]) -> None:
    result = remi(*arguments, "--engine", "synthetic", "--detector", "synthetic", "--no-metrics", "--name", "nocamera")
    assert_one_line(result, code, *words)


@pytest.mark.parametrize(("device", "words"), [("9", "No camera /dev/video9"), ("/dev/null", "is not a video device")])
def test_webcam_is_looked_for_before_anything_starts(device: str, words: str) -> None:
    before = time.monotonic()
    result = remi("webcam", device, "--viewer", "web", "--name", "nocamera")  # with the real engine, whose weights would load
    assert_one_line(result, 3, words)
    assert "viewer" not in result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert time.monotonic() - before < 8, "2 s on a machine that has nothing else to do"


def test_password_in_the_command_line_works_and_is_warned_about_once() -> None:
    url = f"rtsp://joe:{SECRET}@127.0.0.1:9/x"
    options = ["--engine", "synthetic", "--detector", "synthetic", "--no-metrics", "--name", "inline", "--give-up-after", "1"]
    result = remi("rtsp", url, *options)
    assert result.stderr.count("set REMI_RTSP_USER and REMI_RTSP_PASSWORD instead") == 1
    assert_one_line(result, 4, "rtsp://joe:***@127.0.0.1:9/x gave no frame for 1 s")
    assert SECRET not in result.stdout + result.stderr
