"""Footage: interface of offline input, a video or an image folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from remi_stream.geometry import Intrinsics, default_intrinsics
from remi_stream.messages import Frame


class Footage(Protocol):
    """Offline input, frame by frame in order."""

    name: str
    """Name of the results."""
    source: Path
    is_independent: bool
    """Whether the images are independent, without tracks between them."""
    fps: float
    """0 if unknown."""
    expected_frames: int
    """Expected number of frames; 0 if unknown."""
    image_names: list[str]
    """File names of the images read so far; empty for a video."""

    @property
    def unreadable(self) -> Sequence[str]:
        """Names of files or packets that could not be read."""
        ...

    def open(self) -> None:
        """Open the footage. RemiError says what the user must fix."""
        ...

    def frames(self, skip: int) -> Iterator[Frame]:
        """Yield the selected frames, without the first `skip` of them."""
        ...

    def close(self) -> None:
        """Close the footage."""
        ...


class FrameSelection(NamedTuple):
    """Selection of a video's frames."""

    every: int = 1
    """Use every n-th frame."""
    start_s: float = 0.0
    """s from the first frame."""
    end_s: float | None = None
    """Exclusive, s from the first frame; None: to the end."""
    max_frames: int | None = None
    """Maximum number of frames."""


def make_frame(name: str, frame_id: int, at: float, image: np.ndarray, focal_px: float | None) -> Frame:
    """Make the Frame of an image (H, W, 3) uint8 BGR at a time of the video, s."""
    height, width = image.shape[:2]
    return Frame(
        camera=name,
        epoch=0,
        frame_id=frame_id,
        captured_at=at,
        pts=at,
        image=image,
        size=(width, height),
        rectangle=(0.0, 0.0, float(width), float(height)),
        intrinsics=image_intrinsics(width, height, focal_px),
    )


def image_intrinsics(width: int, height: int, focal_px: float | None) -> Intrinsics:
    """fx, fy, cx, cy px of an image, from a known focal length or the default one."""
    fx, fy, cx, cy = default_intrinsics(width, height)
    return (focal_px, focal_px, cx, cy) if focal_px else (fx, fy, cx, cy)
