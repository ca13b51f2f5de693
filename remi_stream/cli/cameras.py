"""`remi-stream cameras`: the V4L2 cameras of this machine and their modes."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from remi_stream.capture.devices import Device, Mode, devices
from remi_stream.errors import DONE

JOIN = "Join the group: sudo usermod -aG video $USER, then log in again"


def cameras(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False) -> int:
    """List the cameras of this machine and their modes."""
    found = devices()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return DONE
    if not found:
        print("No camera found: no /dev/video* can capture. For a network camera: remi-stream rtsp URL")
    for device in found:
        print("\n".join(_lines(device)))
    return DONE


def _lines(device: Device) -> list[str]:
    users = f", in use by {', '.join(device.used_by)}" if device.used_by else ""
    fault = f": {device.fault}. {JOIN if 'permission' in device.fault else ''}".rstrip(" .") if device.fault else ""
    return [f"{device.path}  {device.name}{fault}{users}", *(_mode(mode) for mode in device.modes)]


def _mode(mode: Mode) -> str:
    rates = ", ".join(f"{fps:g}" for fps in mode.fps)
    return f"  {mode.format:<5}{mode.width}x{mode.height}" + (f" at {rates} fps" if rates else "")
