"""Webcams (V4L2): the devices of this machine with their modes and users, and the driver that reads one with OpenCV."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec

from remi_stream.capture.live import CameraUnavailable, LiveSource
from remi_stream.capture.source import CapturedImage
from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError

DEFAULT_SIZE, DEFAULT_FPS = (1280, 720), 30.0
"""Default capture size, (width, height) px, and frame rate."""
MAX_BROKEN_FRAMES = 30
"""Consecutive broken frames after which the camera counts as failed; the first few of a cheap one often are broken."""
VIDIOC_QUERYCAP, VIDIOC_ENUM_FMT, VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS = (
    0x80685600,
    0xC0405602,
    0xC02C564A,
    0xC034564B,
)
"""ioctl numbers VIDIOC_* of linux/videodev2.h."""
V4L2_VIDEO_CAPTURE = 1
"""V4L2_CAP_VIDEO_CAPTURE and V4L2_BUF_TYPE_VIDEO_CAPTURE."""
V4L2_DISCRETE = 1
"""V4L2_FRMSIZE_TYPE_DISCRETE and V4L2_FRMIVAL_TYPE_DISCRETE."""
MAX_ENUMERATED = 64
"""Upper limit of each enumeration, for drivers that never end it."""

Ioctl = Callable[[int, bytes], bytes]
"""An ioctl: request number and packed struct -> returned struct. OSError if the device rejects it."""


class VideoMode(msgspec.Struct, frozen=True):
    """A pixel format and size that a device can capture."""

    format: str
    """FourCC, e.g. MJPG."""
    width: int
    """px."""
    height: int
    """px."""
    fps: tuple[float, ...]
    """In the driver's order, usually the highest first; empty if the device does not say."""


class VideoDevice(msgspec.Struct, frozen=True):
    """A /dev/video* device."""

    path: str
    """E.g. /dev/video0."""
    name: str
    """Product name as the driver reports it."""
    modes: tuple[VideoMode, ...] = ()
    fault: str = ""
    """Why it cannot be used; "" if it can."""
    used_by: tuple[str, ...] = ()
    """Processes that have it open, "123 (name)"."""


def device_paths(folder: Path = Path("/dev")) -> list[str]:
    """Paths /dev/video0, /dev/video1, ... in numeric order."""
    return sorted(map(str, folder.glob("video[0-9]*")), key=lambda path: int(re.sub(r".*\D", "", path) or 0))


def list_devices() -> list[VideoDevice]:
    """Devices that can capture, and those that cannot be queried."""
    found = [probe_device(path) for path in device_paths()]
    return [device for device in found if device.modes or device.fault]


def probe_device(path: str) -> VideoDevice:
    """Query a device for its name, modes and users."""
    name = _device_name(path)
    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return VideoDevice(path, name, fault=(error.strerror or "cannot be opened").lower(), used_by=tuple(device_users(path)))
    try:
        return VideoDevice(
            path,
            name,
            tuple(capture_modes(lambda request, data: fcntl.ioctl(file, request, data))),
            "",
            tuple(device_users(path)),
        )
    except OSError as error:
        return VideoDevice(path, name, fault=f"is not a video device: {(error.strerror or '').lower()}")
    finally:
        os.close(file)


def capture_modes(ioctl: Ioctl) -> Iterator[VideoMode]:
    """Enumerate the capture modes of a device; none for an output or metadata device."""
    # struct v4l2_capability: driver, card, bus_info, version, capabilities, device_caps
    capabilities = struct.unpack("<16s32s32s3I12x", ioctl(VIDIOC_QUERYCAP, bytes(104)))
    if not capabilities[5] & V4L2_VIDEO_CAPTURE:
        return
    for answer in _enumerate(ioctl, VIDIOC_ENUM_FMT, lambda index: struct.pack("<2I56x", index, V4L2_VIDEO_CAPTURE)):
        code = answer[44:48]  # v4l2_fmtdesc.pixelformat
        for width, height in _frame_sizes(ioctl, code):
            yield VideoMode(code.decode(errors="replace").strip(), width, height, tuple(_frame_rates(ioctl, code, width, height)))


def _frame_sizes(ioctl: Ioctl, code: bytes) -> Iterator[tuple[int, int]]:
    """Enumerate (width, height); the largest size of a device with continuous sizes."""
    for answer in _enumerate(ioctl, VIDIOC_ENUM_FRAMESIZES, lambda index: struct.pack("<I4s36x", index, code)):
        kind, first, second = struct.unpack_from("<3I", answer, 8)
        # v4l2_frmsizeenum: width, height, or min_width, max_width, step_width, min_height, max_height
        yield (first, second) if kind == V4L2_DISCRETE else (second, struct.unpack_from("<I", answer, 28)[0])
        if kind != V4L2_DISCRETE:
            return


def _frame_rates(ioctl: Ioctl, code: bytes, width: int, height: int) -> Iterator[float]:
    for answer in _enumerate(
        ioctl, VIDIOC_ENUM_FRAMEINTERVALS, lambda index: struct.pack("<I4s2I36x", index, code, width, height)
    ):
        kind, numerator, denominator = struct.unpack_from("<3I", answer, 16)
        if numerator:
            yield round(denominator / numerator, 2)
        if kind != V4L2_DISCRETE:
            return


def _enumerate(ioctl: Ioctl, request: int, pack: Callable[[int], bytes]) -> Iterator[bytes]:
    """Enumerate indices 0, 1, 2, ... until the device rejects one."""
    for index in range(MAX_ENUMERATED):
        try:
            yield ioctl(request, pack(index))
        except OSError:
            return


def device_users(path: str) -> list[str]:
    """Processes that have a device open, as far as this user may see them: ["123 (zoom)"]."""
    device = os.path.realpath(path)
    users = [process for process in Path("/proc").glob("[0-9]*") if _has_open(process, device)]
    return [f"{process.name} ({_process_name(process)})" for process in users]


def _has_open(process: Path, device: str) -> bool:
    if process.name == str(os.getpid()):
        return False
    try:
        return any(os.readlink(file) == device for file in (process / "fd").iterdir())
    except OSError:
        return False


def _process_name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "ended"


def _device_name(path: str) -> str:
    file = Path("/sys/class/video4linux") / Path(os.path.realpath(path)).name / "name"
    try:
        return file.read_text().strip()
    except OSError:
        return "unknown"


class Webcam:
    """V4L2 camera. captured_at: when grab() returned. open_capture: cv2.VideoCapture, or a stand-in in tests."""

    def __init__(
        self, path: str, size: tuple[int, int] | None, fps: float | None, open_capture: Callable[..., Any] = cv2.VideoCapture
    ) -> None:
        self.description = path
        self.fps = 0.0
        self._path = path
        self._size = size or DEFAULT_SIZE
        self._requested_fps = fps or DEFAULT_FPS
        self._open_capture = open_capture
        self._was_open = False

    def read_frames(self) -> Generator[CapturedImage | None, None, None]:
        """Open the device and yield frames until it is unplugged."""
        if self._was_open and not Path(self._path).exists():
            raise CameraUnavailable("unplugged")
        check_device(self._path)
        capture = self._open()
        first, broken = True, 0
        try:
            while broken < MAX_BROKEN_FRAMES and capture.grab():
                captured_at = time.monotonic()
                decoded, image = capture.retrieve()
                first, broken = (False, 0) if decoded else (first, broken + 1)
                yield CapturedImage(image, captured_at, captured_at) if decoded else None
            raise self._no_frame_error(first=first)
        finally:
            capture.release()

    def _open(self) -> Any:
        # OpenCV would print a warning of its own for each attempt to open a camera that is away
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        capture = self._open_capture(self._path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise self._no_frame_error(first=True)
        width, height = self._size
        # many USB cameras deliver only 10 fps at 720p in YUYV, 30 in MJPG
        for name, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, self._requested_fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),  # a longer queue of the driver would return old frames
        ):
            capture.set(name, value)
        self.fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._was_open = True
        return capture

    def _no_frame_error(self, *, first: bool) -> CameraUnavailable | RemiError:
        """Build the error that says why there is no frame. first: there was none since the device was opened."""
        if not Path(self._path).exists():
            return CameraUnavailable("unplugged")
        if not first:
            return CameraUnavailable("gives no more frames")
        users = device_users(self._path)
        if users:
            return RemiError(f"Camera {self._path} is in use by process {', '.join(users)}. End it, or use another camera")
        return RemiError(f"Camera {self._path} opens but gives no frame. List its modes: remi-stream cameras")


def check_device(path: str) -> None:
    """Raise RemiError unless the device exists and this user may open it."""
    if not Path(path).exists():
        available = f"available: {', '.join(device_paths())}" if device_paths() else "this machine has no /dev/video*"
        raise RemiError(f"No camera {path}; {available}. Plug it in, then: remi-stream cameras")
    if not os.access(path, os.R_OK | os.W_OK):
        raise RemiError(f"This user may not open camera {path}. Join its group: sudo usermod -aG video $USER, then log in again")


def check_webcam(path: str) -> None:
    """Raise RemiError unless the device exists, this user may open it, and it can capture. Reads no image."""
    check_device(path)
    device = probe_device(path)
    if device.fault:
        raise RemiError(f"Camera {path}: {device.fault}. List the cameras: remi-stream cameras")
    if not device.modes:
        raise RemiError(f"{path} ({device.name}) cannot capture images. List the cameras: remi-stream cameras")


def make_webcam_source(camera: CameraConfig, *, restarted: bool = False) -> LiveSource:
    """Make the source of a camera of this machine."""
    driver = Webcam(camera.source, camera.size, camera.fps)
    return LiveSource(driver, give_up_after_s=camera.give_up_after_s, restarted=restarted)
