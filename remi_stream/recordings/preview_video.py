"""Preview video of a recording: variable frame rate, each frame at its capture time."""

from __future__ import annotations

from fractions import Fraction
from io import FileIO
from pathlib import Path

import av
import cv2
import numpy as np

from remi_stream.messages import Frame

PREVIEW_FILE = "preview.mp4"
TICKS_PER_S = 90_000
"""Time base, as usual for MPEG."""
MP4_OPTIONS = {"movflags": "empty_moov+default_base_moof+frag_every_frame", "flush_packets": "1"}
"""Every frame is its own fragment: a truncated file plays up to the cut."""


class PreviewVideo:
    """Writes H.264 in MP4; all frames are scaled to the size of the first."""

    def __init__(self, folder: Path) -> None:
        self._file = FileIO(folder / PREVIEW_FILE, "x")
        self._container = av.open(self._file, "w", format="mp4", options=MP4_OPTIONS)
        self._stream: av.VideoStream | None = None
        self._started_at = 0.0
        self._pts = -1

    def add(self, frame: Frame) -> float:
        """Add a JPEG frame; return its time in the video, s."""
        image = cv2.imdecode(frame.image, cv2.IMREAD_COLOR)
        assert image is not None, "the relay's previews are JPEG"
        if self._stream is None:
            self._started_at = frame.captured_at
            self._stream = self._open(image.shape[1], image.shape[0])
        if image.shape[:2] != (self._stream.height, self._stream.width):
            image = cv2.resize(image, (self._stream.width, self._stream.height), interpolation=cv2.INTER_AREA)
        encoded = av.VideoFrame.from_ndarray(image.astype(np.uint8, copy=False), format="bgr24")
        # two frames captured in the same tick still need increasing pts
        self._pts = max(self._pts + 1, round((frame.captured_at - self._started_at) * TICKS_PER_S))
        encoded.pts, encoded.time_base = self._pts, Fraction(1, TICKS_PER_S)
        self._container.mux(self._stream.encode(encoded))
        return self._pts / TICKS_PER_S

    def close(self) -> None:
        """Flush the encoder and close the file."""
        if self._stream:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        self._file.close()

    def _open(self, width: int, height: int) -> av.VideoStream:
        # zerolatency: no frame is held back in the encoder, so that a killed recorder loses none
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "threads": "1"}
        stream = self._container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height = width - width % 2, height - height % 2  # yuv420p needs even sizes
        stream.pix_fmt, stream.gop_size = "yuv420p", 20
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        return stream
