"""The video devices of this machine, as Linux (V4L2) knows them."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

QUERYCAP, ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
CAPTURE = 1
"""V4L2_CAP_VIDEO_CAPTURE and V4L2_BUF_TYPE_VIDEO_CAPTURE."""
DISCRETE = 1
MOST = 64

Ask = Callable[[int, bytes], bytes]
"""Sends a request with its structure to a device, and gives the structure back; OSError when the device has no answer."""


class Mode(msgspec.Struct, frozen=True):
    """What a device can give: size px; fps, the highest first, empty when it does not say."""

    format: str
    width: int
    height: int
    fps: tuple[float, ...]


class Device(msgspec.Struct, frozen=True):
    """One /dev/video*. fault: why it cannot be used, if it cannot. used_by: the processes that hold it, "123 (name)"."""

    path: str
    name: str
    modes: tuple[Mode, ...] = ()
    fault: str = ""
    used_by: tuple[str, ...] = ()


def paths(folder: Path = Path("/dev")) -> list[str]:
    """Give /dev/video0, /dev/video1, ... in this order."""
    return sorted(map(str, folder.glob("video[0-9]*")), key=lambda path: int(re.sub(r".*\D", "", path) or 0))


def devices() -> list[Device]:
    """Give the devices that can capture, and those that cannot be asked."""
    found = [look_at(path) for path in paths()]
    return [device for device in found if device.modes or device.fault]


def look_at(path: str) -> Device:
    """Ask a device for its modes."""
    name = _name(path)
    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return Device(path, name, fault=(error.strerror or "cannot be opened").lower(), used_by=tuple(holders(path)))
    try:
        return Device(path, name, tuple(modes(lambda request, data: fcntl.ioctl(file, request, data))), "", tuple(holders(path)))
    except OSError as error:
        return Device(path, name, fault=f"is no video device: {(error.strerror or '').lower()}")
    finally:
        os.close(file)


def modes(ask: Ask) -> Iterator[Mode]:
    """Give what a device can capture; nothing for one that only plays or carries metadata."""
    capabilities = struct.unpack("<16s32s32s3I12x", ask(QUERYCAP, bytes(104)))
    if not capabilities[5] & CAPTURE:
        return
    for answer in _each(ask, ENUM_FMT, lambda index: struct.pack("<2I56x", index, CAPTURE)):
        code = answer[44:48]
        for width, height in _sizes(ask, code):
            yield Mode(code.decode(errors="replace").strip(), width, height, tuple(_rates(ask, code, width, height)))


def _sizes(ask: Ask, code: bytes) -> Iterator[tuple[int, int]]:
    """Give width, height; of a device that can give any size, the largest."""
    for answer in _each(ask, ENUM_FRAMESIZES, lambda index: struct.pack("<I4s36x", index, code)):
        kind, first, second = struct.unpack_from("<3I", answer, 8)
        yield (first, second) if kind == DISCRETE else (second, struct.unpack_from("<I", answer, 28)[0])
        if kind != DISCRETE:
            return


def _rates(ask: Ask, code: bytes, width: int, height: int) -> Iterator[float]:
    for answer in _each(ask, ENUM_FRAMEINTERVALS, lambda index: struct.pack("<I4s2I36x", index, code, width, height)):
        kind, numerator, denominator = struct.unpack_from("<3I", answer, 16)
        if numerator:
            yield round(denominator / numerator, 2)
        if kind != DISCRETE:
            return


def _each(ask: Ask, request: int, question: Callable[[int], bytes]) -> Iterator[bytes]:
    """Ask for number 0, 1, 2, ... until the device has no more."""
    for index in range(MOST):
        try:
            yield ask(request, question(index))
        except OSError:
            return


def holders(path: str) -> list[str]:
    """Give the processes that have a device open, as far as this user may see them: ["123 (zoom)"]."""
    wanted = os.path.realpath(path)
    return [f"{process.name} ({_command(process)})" for process in Path("/proc").glob("[0-9]*") if _holds(process, wanted)]


def _holds(process: Path, wanted: str) -> bool:
    if process.name == str(os.getpid()):
        return False
    try:
        return any(os.readlink(file) == wanted for file in (process / "fd").iterdir())
    except OSError:
        return False


def _command(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "ended"


def _name(path: str) -> str:
    file = Path("/sys/class/video4linux") / Path(os.path.realpath(path)).name / "name"
    try:
        return file.read_text().strip()
    except OSError:
        return "unknown"
