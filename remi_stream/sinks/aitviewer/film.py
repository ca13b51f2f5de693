"""What was seen, as a video file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from remi_stream.errors import RemiError

TICKS_PER_S = 90_000
FPS = 30
OPTIONS = {"preset": "veryfast", "crf": "20"}


class Film:
    """H.264 in MP4; each picture is shown when it was seen, at however many a second. Raises RemiError where it cannot write."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        try:
            path.open("wb").close()
        except OSError as error:
            raise RemiError(f"Cannot write {path}: {error.strerror}") from None
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        stream = self._container.add_stream("libx264", rate=FPS, options=OPTIONS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        self._path, self._stream = path, stream
        self._pts = -1
        self.pictures = 0

    def add(self, image: np.ndarray, at: float) -> None:
        """Add a picture (h, w, 3) uint8 RGB that was seen at seconds from the beginning."""
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        self._pts = max(self._pts + 1, round(at * TICKS_PER_S))
        picture.pts, picture.time_base = self._pts, Fraction(1, TICKS_PER_S)
        self._container.mux(self._stream.encode(picture))
        self.pictures += 1

    def close(self) -> None:
        """Write what is left; a film without a picture is removed."""
        if self.pictures:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if not self.pictures:
            self._path.unlink(missing_ok=True)
