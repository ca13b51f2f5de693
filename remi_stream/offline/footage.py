"""What is worked through: a film, or a folder of pictures, frame by frame in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from remi_stream.geometry import Intrinsics, default_intrinsics
from remi_stream.messages import Frame


class Footage(Protocol):
    """name: of the results. apart: each picture is of its own, nobody goes on from one to the next. fps: 0 if unknown.

    total: frames to come, as far as that is known beforehand; 0 if not. names: of a folder's pictures, as far as they are read.
    """

    name: str
    source: Path
    apart: bool
    fps: float
    total: int
    names: list[str]

    @property
    def left_out(self) -> Sequence[str]:
        """What could not be read."""
        ...

    def open(self) -> None:
        """Open it. RemiError says what the user has to mend."""
        ...

    def frames(self, skip: int) -> Iterator[Frame]:
        """Give the frames that are wanted, without the first `skip` of them."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Selection(NamedTuple):
    """Which frames: every n-th of those from start_s to before end_s, s from the first frame (None: the end), `most` at most."""

    every: int = 1
    start_s: float = 0.0
    end_s: float | None = None
    most: int | None = None


def frame_of(name: str, frame_id: int, at: float, image: np.ndarray, focal_px: float | None) -> Frame:
    """The message of a picture, image (H, W, 3) uint8 BGR, at a time of the film, s."""
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
        intrinsics=intrinsics_of(width, height, focal_px),
    )


def intrinsics_of(width: int, height: int, focal_px: float | None) -> Intrinsics:
    """The camera of a picture: a known focal length, or the default one."""
    fx, fy, cx, cy = default_intrinsics(width, height)
    return (focal_px, focal_px, cx, cy) if focal_px else (fx, fy, cx, cy)
