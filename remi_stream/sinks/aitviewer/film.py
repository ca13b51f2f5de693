"""Video file of what the viewer renders: H.264 in MP4 with variable frame rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from remi_stream.errors import RemiError

TICKS_PER_S = 90_000
"""Time base of MPEG timestamps."""
VIDEO_FPS = 30
"""Maximum frame rate; timestamps are those of the rendering."""
ENCODER_OPTIONS = {"preset": "veryfast", "crf": "20"}
"""Options of libx264: encoding must keep up with rendering."""


class ViewerVideo:
    """An open video; each frame has the time at which it was rendered. Raises RemiError where it cannot be written."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        try:
            path.open("wb").close()  # PyAV's error would not name the path
        except OSError as error:
            raise RemiError(f"Cannot write {path}: {error.strerror}") from None
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        stream = self._container.add_stream("libx264", rate=VIDEO_FPS, options=ENCODER_OPTIONS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        self._path, self._stream = path, stream
        self._pts = -1
        self.frames = 0

    def add(self, image: np.ndarray, at: float) -> None:
        """Add an image (h, w, 3) uint8 RGB. at: seconds from the start."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        # The muxer requires strictly increasing timestamps.
        self._pts = max(self._pts + 1, round(at * TICKS_PER_S))
        frame.pts, frame.time_base = self._pts, Fraction(1, TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Finish the file; remove it if it has no frame."""
        if self.frames:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if not self.frames:
            self._path.unlink(missing_ok=True)
