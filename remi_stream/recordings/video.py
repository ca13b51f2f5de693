"""Video of a recording: writes its preview, and reads images back for playback from it or from the source video of results."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from io import FileIO
from pathlib import Path

import av
import cv2
import numpy as np

from remi_stream.capture.video_reader import VideoReader
from remi_stream.errors import RemiError
from remi_stream.messages import Bodies, Frame
from remi_stream.recordings.index import PREVIEW_FILE
from remi_stream.recordings.reader import FrameKey, frame_keys, read_npz
from remi_stream.recordings.take import Take

TICKS_PER_S = 90_000
"""Time base, 1/s: MPEG's (ISO/IEC 13818-1)."""
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
        # a key frame every 20: previews come ten times a second, so a seek decodes two seconds at most
        stream.pix_fmt, stream.gop_size = "yuv420p", 20
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        return stream


SAME_FRAME_S = 1e-3
"""Times this close, s, are those of one frame: they are rounded to the video's time base, 1/90000 s or coarser."""


class PlaybackVideo:
    """Reads a video forward only. Raises RemiError if it cannot be opened."""

    def __init__(self, path: Path, shown_at: Mapping[FrameKey, float] | None, start_s: float, fps: float | None = None) -> None:
        """shown_at: a frame's time in the video, s; None: its captured_at. start_s: s from the video's first frame.

        fps: frame rate that was used instead of the video's times.
        """
        self._video = VideoReader(path, fps)
        self._video.open()
        self._shown_at = shown_at
        self._video.seek(start_s)
        self._frames = self._video.frames()
        self._next = next(self._frames, None)

    def advance_to(self, bodies: Bodies, until: float) -> bool:
        """Decode up to the image of a frame; False if `until` (monotonic s) comes first."""
        at_s = self._shown_s(bodies)
        while at_s is not None and self._next is not None and self._next[0] < at_s - SAME_FRAME_S:
            if time.monotonic() > until:
                return False
            self._next = next(self._frames, None)
        # a frame that is later than at_s stays in _next: it may be that of the next bodies
        return True

    def image_of(self, bodies: Bodies) -> np.ndarray | None:
        """The image (H, W, 3) uint8 BGR of the frame that `advance_to` reached, if there is one."""
        at_s = self._shown_s(bodies)
        if at_s is None or self._next is None or abs(self._next[0] - at_s) > SAME_FRAME_S:
            return None
        return self._video.image(self._next[1])

    def close(self) -> None:
        """Close the video."""
        self._video.close()

    def _shown_s(self, bodies: Bodies) -> float | None:
        """A frame's time in the video, s; None if the video lacks it."""
        return bodies.captured_at if self._shown_at is None else self._shown_at.get((bodies.epoch, bodies.frame_id))


def open_playback_video(folder: Path, take: Take, first: int) -> PlaybackVideo | None:
    """Open the video of a take at the frame with index `first`; None if there is no readable video."""
    path, shown_at, start_s = take.source, None, take.frames[first].captured_at
    if (folder / PREVIEW_FILE).exists():
        path, shown_at = folder / PREVIEW_FILE, _shown_at(folder)
        start_s = _first_shown_s(shown_at, take.frames, first)
    if path is None or not path.is_file():
        return None
    try:
        return PlaybackVideo(path, shown_at, start_s, take.source_fps if path == take.source else None)
    except RemiError:
        return None


def _shown_at(folder: Path) -> dict[FrameKey, float]:
    """Time of each frame in a recording's preview video, s."""
    preview = read_npz(folder / "preview.npz")
    return dict(zip(frame_keys(preview), preview["shown_at"].tolist()))


def _first_shown_s(shown_at: Mapping[FrameKey, float], frames: Sequence[Bodies], first: int) -> float:
    """Time in the video, s, of the first frame with a preview, from index `first` on."""
    keys = ((frames[index].epoch, frames[index].frame_id) for index in range(first, len(frames)))
    return next((shown_at[key] for key in keys if key in shown_at), 0.0)
