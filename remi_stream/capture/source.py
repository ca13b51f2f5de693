"""What a camera is to the rest: something that is opened, read and closed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np

from remi_stream.capture.address import address_of
from remi_stream.config import Camera

State = Literal["starting", "live", "reconnecting", "ended"]


class Picture(NamedTuple):
    """image: (H, W, 3) uint8 BGR, never written to again. captured_at: monotonic s. pts: the stream's own time, s.

    missed: pictures since the one before that came too fast to be given.
    """

    image: np.ndarray
    captured_at: float
    pts: float
    missed: int = 0


class Source(Protocol):
    """A camera or a file."""

    description: str
    """For people, without credentials."""
    state: State
    fps: float
    """Nominal; 0 if the source does not say."""

    def open(self) -> None:
        """Open it. RemiError says what the user has to mend; a live source that is merely away is not an error."""
        ...

    def read(self) -> Picture | None:
        """Wait for the next picture; None when none came within a second. Raises EOFError at the end of a finite source."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_source(camera: Camera, *, again: bool = False) -> Source:
    """Make the source that a camera's configuration names; it is not opened yet. again: in a process that was restarted."""
    kind = kind_of(camera.source)
    if kind == "synthetic":
        from remi_stream.capture.synthetic import SyntheticSource

        return SyntheticSource(camera.source)
    if kind in ("rtsp", "webcam"):
        return _live(camera, kind, again)
    if kind == "images":
        from remi_stream.capture.images import ImagesSource

        return ImagesSource(camera.source, fps=camera.fps or 30.0, realtime=camera.realtime, loop=camera.loop)
    from remi_stream.capture.file import FileSource

    return FileSource(camera.source, realtime=camera.realtime, loop=camera.loop)


def check_source(camera: Camera) -> None:
    """Raise UsageError for a source that cannot be one, as far as its name and its options tell."""
    if kind_of(camera.source) == "remi":
        from remi_stream.capture.remi import check_camera

        check_camera(camera)
    elif kind_of(camera.source) == "recording":
        from remi_stream.capture import replay

        replay.check_camera(camera)
    else:
        open_source(camera)


def kind_of(source: str) -> str:
    """Which kind of source a name means: "synthetic", "webcam", "rtsp", "images" or "file"; "remi", "recording" give bodies."""
    for kind in ("synthetic", "remi", "recording"):
        if source.startswith(f"{kind}:"):
            return kind
    if source.startswith("/dev/"):
        return "webcam"
    if "://" in source:
        return "rtsp"
    return "images" if Path(source).is_dir() else "file"


def _live(camera: Camera, kind: str, again: bool) -> Source:
    from remi_stream.capture.live import Device, LiveSource

    device: Device
    if kind == "rtsp":
        from remi_stream.capture.rtsp import RtspCamera

        device = RtspCamera(address_of(camera), camera.transport)
    else:
        from remi_stream.capture.webcam import Webcam

        device = Webcam(camera.source, camera.size, camera.fps)
    return LiveSource(device, give_up_after_s=camera.give_up_after_s, again=again)
