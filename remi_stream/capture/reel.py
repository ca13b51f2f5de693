"""Images for playback: the preview frames of a recording, or all frames of a video."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import av
import numpy as np

from remi_stream.capture.file import bgr_from_frame
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies
from remi_stream.offline.recorded import FrameKey, frame_keys, read_npz
from remi_stream.sinks.recording.video import PREVIEW_FILE

SAME_FRAME_S = 1e-3
"""Times this close, s, are those of one frame."""


class VideoReader:
    """Reads a video forward only, from begins_s on. shown_at: a frame's time in the video, s; None: its captured_at.

    A decoding error ends the video.
    """

    def __init__(self, path: Path, shown_at: Mapping[FrameKey, float] | None, start_s: float) -> None:
        self._container = av.open(str(path))
        self._shown_at = shown_at
        self._frames = self._decode(start_s)
        self._next = next(self._frames, None)

    def advance_to(self, bodies: Bodies, until: float) -> bool:
        """Decode up to the image of a frame; False if `until` (monotonic s) comes first."""
        at_s = self._shown_s(bodies)
        while at_s is not None and self._next is not None and self._next[0] < at_s - SAME_FRAME_S:
            if time.monotonic() > until:
                return False
            self._next = next(self._frames, None)
        return True

    def image_of(self, bodies: Bodies) -> np.ndarray | None:
        """The image (H, W, 3) uint8 BGR of the frame that `advance_to` reached, if there is one."""
        at_s = self._shown_s(bodies)
        if at_s is None or self._next is None or abs(self._next[0] - at_s) > SAME_FRAME_S:
            return None
        return bgr_from_frame(self._next[1])

    def close(self) -> None:
        """Close the video."""
        self._container.close()

    def _shown_s(self, bodies: Bodies) -> float | None:
        """A frame's time in the video, s; None if the video lacks it."""
        return bodies.captured_at if self._shown_at is None else self._shown_at.get((bodies.epoch, bodies.frame_id))

    def _decode(self, begins_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
        """Frames, each with its time from the first one, s."""
        stream = self._container.streams.video[0]
        stream.codec_context.thread_count = 1
        try:
            first = float(next(self._container.decode(stream)).time or 0.0)
            # seeks to the key frame before; `forward` decodes on from there
            self._container.seek(int((first + begins_s) * av.time_base))
            for frame in self._container.decode(stream):
                yield float(frame.time or 0.0) - first, frame
        except (StopIteration, av.FFmpegError):
            return


def open_video_reader(folder: Path, take: Take, first: int) -> VideoReader | None:
    """Open the video of a take at the frame with index `first`; None if there is no readable video."""
    path, shown_at, begins_s = take.source, None, take.frames[first].captured_at
    if (folder / PREVIEW_FILE).exists():
        path, shown_at = folder / PREVIEW_FILE, _shown_at(folder)
        begins_s = _first_shown_s(shown_at, take.frames, first)
    if path is None or not path.is_file():
        return None
    try:
        return VideoReader(path, shown_at, begins_s)
    except av.FFmpegError:
        return None


def _shown_at(folder: Path) -> dict[FrameKey, float]:
    """Time of each frame in a recording's preview video, s."""
    preview = read_npz(folder / "preview.npz")
    return dict(zip(frame_keys(preview), preview["shown_at"].tolist()))


def _first_shown_s(shown_at: Mapping[FrameKey, float], frames: Sequence[Bodies], first: int) -> float:
    """Time in the video, s, of the first frame with a preview, from index `first` on."""
    keys = ((frames[index].epoch, frames[index].frame_id) for index in range(first, len(frames)))
    return next((shown_at[key] for key in keys if key in shown_at), 0.0)
