"""Video file as offline footage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from remi_stream.capture.file import VideoFileSource, bgr_from_frame
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Frame
from remi_stream.offline.footage import FrameSelection, make_frame

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp")
"""Suffixes of video files, lower case."""


class VideoFootage:
    """Selected frames of a video file. captured_at: pts from the first frame, s, so that a variable frame rate is kept."""

    def __init__(self, path: Path, name: str, selection: FrameSelection, focal_px: float | None) -> None:
        self.name, self.source = name, path
        self.is_independent, self.fps, self.expected_frames = False, 0.0, 0
        self.image_names: list[str] = []
        self._selection, self._focal_px = selection, focal_px
        self._file = VideoFileSource(str(path), realtime=False, loop=False)

    @property
    def unreadable(self) -> list[str]:
        """A name for each corrupt packet of the file."""
        return [f"broken data {number + 1}" for number in range(self._file.broken)]

    def open(self) -> None:
        """Open the file. Raises UsageError if it does not exist, RemiError if it is not a video."""
        self._file.open()
        self.fps = self._file.fps / self._selection.every
        self.expected_frames = self._expected_count()

    def frames(self, skip: int) -> Iterator[Frame]:
        """Yield the selected frames; skipped ones are decoded too, so that a resumed run gets identical frames."""
        first, last, selected = None, 0.0, 0
        for number, decoded in enumerate(self._file.frames()):
            time_s = float(decoded.time or 0.0)
            first = time_s if first is None else first
            last = time_s - first
            if self._is_past_end(last, selected):
                break
            if last < self._selection.start_s or number % self._selection.every:
                continue
            selected += 1
            if selected > skip:
                yield make_frame(self.name, number, last, bgr_from_frame(decoded), self._focal_px)
        if first is None:
            raise RemiError(f"{self.source} has no frame that can be decoded ({self._file.broken} broken). Give another file")
        if not selected:
            raise UsageError(f"{self.source} has no selected frame; its last one is at {last:.2f} s. Change --start and --end")

    def _is_past_end(self, at: float, selected: int) -> bool:
        """Whether the selection ends before a frame at this time, s, after `selected` frames."""
        end_s, most = self._selection.end_s, self._selection.max_frames
        return (end_s is not None and at >= end_s) or (most is not None and selected >= most)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _expected_count(self) -> int:
        """Expected number of frames; 0 if unknown."""
        duration_s, selection = self._file.duration_s, self._selection
        end = min(duration_s, math.inf if selection.end_s is None else selection.end_s)
        frames = max(0, round((end - selection.start_s) * self.fps))
        return min(frames, selection.max_frames or frames)
