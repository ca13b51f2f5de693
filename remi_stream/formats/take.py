"""A take: the bodies of a video, image folder or recording in frame order, the input of every export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from remi_stream.messages import Bodies


@dataclass(frozen=True)
class Take:
    """The bodies of a video, image folder or recording."""

    name: str
    """Name of the video without its suffix."""
    size: tuple[int, int]
    """Width and height, px."""
    fps: float
    """Frames per second of the video."""
    frames: Sequence[Bodies]
    """One Bodies per frame, also without people; captured_at is video time, s. It may be read lazily from disk, repeatedly."""
    images: Sequence[str] = ()
    """File names of an image folder, one per frame."""
    source: Path | None = None
    """The video or folder, if it still exists, to be drawn on."""
