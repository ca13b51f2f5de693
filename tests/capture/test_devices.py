"""Properties of V4L2 devices; a fake one answers as Linux does."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from remi_stream.capture import webcam
from remi_stream.capture.webcam import VideoDevice, VideoMode, capture_modes, device_paths, device_users, probe_device

STEPWISE = 3
SIZES = {b"MJPG": [(1280, 720), (640, 480)], b"YUYV": [(640, 480)]}
RATES = {(b"MJPG", 1280): [(1, 30), (1, 15)], (b"MJPG", 640): [(1, 60)], (b"YUYV", 640): [(1001, 30000)]}


def answer(request: int, data: bytes, capabilities: int = 1) -> bytes:
    """Do what the kernel's uvcvideo driver does with these four requests."""
    if request == webcam.VIDIOC_QUERYCAP:
        return struct.pack("<16s32s32s3I12x", b"uvcvideo", b"Cam", b"usb", 0, 0x84A00001, capabilities)
    index = struct.unpack_from("<I", data)[0]
    code = data[4:8]
    try:
        if request == webcam.VIDIOC_ENUM_FMT:
            return data[:44] + list(SIZES)[index] + data[48:]
        if request == webcam.VIDIOC_ENUM_FRAMESIZES:
            return data[:8] + struct.pack("<3I", 1, *SIZES[code][index]) + data[20:]
        width = struct.unpack_from("<I", data, 8)[0]
        return data[:16] + struct.pack("<3I", 1, *RATES[code, width][index]) + data[28:]
    except IndexError:
        raise OSError(errno.EINVAL, "Invalid argument") from None


def test_modes_of_a_camera_are_read_as_the_driver_reports_them() -> None:
    assert list(capture_modes(answer)) == [
        VideoMode("MJPG", 1280, 720, (30.0, 15.0)),
        VideoMode("MJPG", 640, 480, (60.0,)),
        VideoMode("YUYV", 640, 480, (29.97,)),
    ]


def test_device_that_only_carries_metadata_has_no_modes() -> None:
    assert list(capture_modes(lambda request, data: answer(request, data, capabilities=0x00800000))) == []


def test_camera_with_continuous_sizes_has_the_largest_as_its_mode() -> None:
    def stepwise(request: int, data: bytes) -> bytes:
        if request == webcam.VIDIOC_ENUM_FRAMESIZES:
            return data[:8] + struct.pack("<7I", STEPWISE, 48, 1920, 2, 32, 1080, 2) + data[36:]
        if request == webcam.VIDIOC_ENUM_FRAMEINTERVALS:
            return data[:16] + struct.pack("<7I", STEPWISE, 1, 60, 1, 1, 1, 1) + data[44:]
        return answer(request, data)

    assert list(capture_modes(stepwise)) == [VideoMode("MJPG", 1920, 1080, (60.0,)), VideoMode("YUYV", 1920, 1080, (60.0,))]


def test_requests_are_the_numbers_of_linux() -> None:
    def number(direction: int, size: int, code: int) -> int:
        return direction << 30 | size << 16 | ord("V") << 8 | code

    assert number(2, 104, 0) == webcam.VIDIOC_QUERYCAP
    assert number(3, 64, 2) == webcam.VIDIOC_ENUM_FMT
    assert number(3, 44, 74) == webcam.VIDIOC_ENUM_FRAMESIZES
    assert number(3, 52, 75) == webcam.VIDIOC_ENUM_FRAMEINTERVALS


def test_devices_are_listed_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("video10", "video2", "video0", "videodev"):
        (tmp_path / name).touch()
    assert [Path(path).name for path in device_paths(tmp_path)] == ["video0", "video2", "video10"]


def test_file_that_is_no_device_says_so(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    assert probe_device(str(tmp_path / "video0")).fault.startswith("is not a video device")


def test_device_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    assert probe_device(str(tmp_path / "video7")) == VideoDevice(
        str(tmp_path / "video7"), "unknown", fault="no such file or directory"
    )


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux' /proc")
def test_process_that_holds_a_device_is_found(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    (tmp_path / "by-id").symlink_to(device)
    code = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(device)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        assert [holder.split()[0] for holder in device_users(str(tmp_path / "by-id"))] == [str(other.pid)]
        assert str(os.getpid()) not in device_users(str(device))
    assert device_users(str(device)) == []
