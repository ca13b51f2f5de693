"""Protocol of a source of images, and the image that it returns; the table of all kinds is remi_stream/sources.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from remi_stream.messages import CameraState

LazyImage = np.ndarray | Callable[[], np.ndarray | None]
"""(H, W, 3) uint8 BGR, never written to again; or a function that returns it, called only for a frame that is used, or None if it
cannot be converted."""


class CapturedImage(NamedTuple):
    """An image as a source read it."""

    image: LazyImage
    captured_at: float
    """Monotonic s."""
    pts: float
    """Presentation timestamp of the stream, s."""
    overrun: int = 0
    """Frames dropped since the one before, because they came faster than they were read."""

    @property
    def pixels(self) -> np.ndarray | None:
        """(H, W, 3) uint8 BGR; None if it cannot be converted."""
        return self.image() if callable(self.image) else self.image


class Source(Protocol):
    """A camera or a file."""

    description: str
    """Name for logs and messages, without credentials."""
    state: CameraState
    """State now; `reconnecting` while a live camera is away."""
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
