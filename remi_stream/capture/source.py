"""What a camera is to the rest: something that is opened, read and closed."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np

from remi_stream.config import Camera
from remi_stream.errors import UsageError

State = Literal["starting", "live", "reconnecting", "ended"]


class Picture(NamedTuple):
    """image: (H, W, 3) uint8 BGR, never written to again. captured_at: monotonic s. pts: the stream's own time, s."""

    image: np.ndarray
    captured_at: float
    pts: float


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


def open_source(camera: Camera) -> Source:
    """Make the source that a camera's configuration names; it is not opened yet."""
    if camera.source.startswith("synthetic:"):
        from remi_stream.capture.synthetic import SyntheticSource

        return SyntheticSource(camera.source)
    if "://" in camera.source:
        raise UsageError(f"Camera {camera.name!r}: source {camera.source!r} is not known; allowed: a video file, synthetic:")
    from remi_stream.capture.file import FileSource

    return FileSource(camera.source, realtime=camera.realtime, loop=camera.loop)
