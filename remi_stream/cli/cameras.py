"""`remi-stream cameras`: the V4L2 cameras of this machine and their modes."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from remi_stream.capture.devices import VideoDevice, VideoMode, list_devices
from remi_stream.errors import EXIT_DONE

JOIN_VIDEO_GROUP = "Join the group: sudo usermod -aG video $USER, then log in again"


def cameras(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False) -> int:
    """List the cameras of this machine and their modes."""
    found = list_devices()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return EXIT_DONE
    if not found:
        print("No camera found: no /dev/video* can capture. For a network camera: remi-stream rtsp URL")
    for device in found:
        print("\n".join(_lines(device)))
    return EXIT_DONE


def _lines(device: VideoDevice) -> list[str]:
    users = f", in use by {', '.join(device.used_by)}" if device.used_by else ""
    fault = f": {device.fault}. {JOIN_VIDEO_GROUP if 'permission' in device.fault else ''}".rstrip(" .") if device.fault else ""
    return [f"{device.path}  {device.name}{fault}{users}", *(_mode(mode) for mode in device.modes)]


def _mode(mode: VideoMode) -> str:
    rates = ", ".join(f"{fps:g}" for fps in mode.fps)
    return f"  {mode.format:<5}{mode.width}x{mode.height}" + (f" at {rates} fps" if rates else "")
