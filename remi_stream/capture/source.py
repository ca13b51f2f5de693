"""Interface of frame sources, and which one a camera's configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np

from remi_stream.capture.camera_url import resolve_camera_url
from remi_stream.config import CameraConfig

SourceState = Literal["starting", "live", "reconnecting", "ended"]


class CapturedImage(NamedTuple):
    """An image as a source read it."""

    image: np.ndarray
    """(H, W, 3) uint8 BGR, never written to again."""
    captured_at: float
    """Monotonic s."""
    pts: float
    """Presentation time of the stream, s."""
    overrun: int = 0
    """Frames dropped since the one before, because they came faster than they were read."""


class Source(Protocol):
    """A camera or a file."""

    description: str
    """Name for logs and messages, without credentials."""
    state: SourceState
    fps: float
    """Nominal frame rate; 0 if unknown."""

    def open(self) -> None:
        """Open the source. RemiError says what the user must fix; an unavailable live camera is no error."""
        ...

    def read(self) -> CapturedImage | None:
        """Wait for the next frame; None if none came within a second. Raises EOFError at the end of a finite source."""
        ...

    def close(self) -> None:
        """Close the source."""
        ...


def open_source(camera: CameraConfig, *, restarted: bool = False) -> Source:
    """Make the source that a camera's configuration names, not opened yet. restarted: the process was restarted."""
    kind = source_kind(camera.source)
    if kind == "synthetic":
        from remi_stream.capture.synthetic import SyntheticSource

        return SyntheticSource(camera.source)
    if kind in ("rtsp", "webcam"):
        return _live_source(camera, kind, restarted)
    if kind == "images":
        from remi_stream.capture.files import ImageFolderSource

        return ImageFolderSource(camera.source, fps=camera.fps or 30.0, realtime=camera.realtime, loop=camera.loop)
    from remi_stream.capture.files import VideoFileSource

    return VideoFileSource(camera.source, realtime=camera.realtime, loop=camera.loop)


def check_source(camera: CameraConfig) -> None:
    """Raise UsageError if the name or the options of a camera's source are invalid."""
    if source_kind(camera.source) == "remi":
        from remi_stream.remi.source import check_remi_camera

        check_remi_camera(camera)
    elif source_kind(camera.source) == "recording":
        from remi_stream.recordings import playback

        playback.check_playback_camera(camera)
    else:
        open_source(camera)


def source_kind(source: str) -> str:
    """Kind of a source: "synthetic", "webcam", "rtsp", "images" or "file"; "remi" and "recording" produce bodies."""
    for kind in ("synthetic", "remi", "recording"):
        if source.startswith(f"{kind}:"):
            return kind
    if source.startswith("/dev/"):
        return "webcam"
    if "://" in source:
        return "rtsp"
    return "images" if Path(source).is_dir() else "file"


def _live_source(camera: CameraConfig, kind: str, again: bool) -> Source:
    from remi_stream.capture.live import CameraDriver, LiveSource

    device: CameraDriver
    if kind == "rtsp":
        from remi_stream.capture.rtsp import RtspCamera

        device = RtspCamera(resolve_camera_url(camera), camera.transport)
    else:
        from remi_stream.capture.webcam import Webcam

        device = Webcam(camera.source, camera.size, camera.fps)
    return LiveSource(device, give_up_after_s=camera.give_up_after_s, restarted=again)
