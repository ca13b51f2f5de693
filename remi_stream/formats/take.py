"""What was seen in a film, a folder of pictures or a recording, in the order of its frames: what every export is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from remi_stream.messages import Bodies


@dataclass(frozen=True)
class Take:
    """name: of the film without its suffix. size: (width, height) px. fps: frames per second of the film.

    frames: a Bodies for each frame of the film, also of those with nobody; captured_at is the film's own time, s. It may be read
    from the disk piece by piece, and more than once. images: the names of a folder's pictures, one a frame. source: the film or
    the folder, where it is still there to be drawn on.
    """

    name: str
    size: tuple[int, int]
    fps: float
    frames: Sequence[Bodies]
    images: Sequence[str] = ()
    source: Path | None = None
