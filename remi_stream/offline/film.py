"""A video file, every wanted frame of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from remi_stream.capture.file import FileSource, picture_of
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Frame
from remi_stream.offline.footage import Selection, frame_of

ENDINGS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp")


class Film:
    """captured_at is the time from the first frame, as the file has it, so that an uneven rate is kept."""

    def __init__(self, path: Path, name: str, selection: Selection, focal_px: float | None) -> None:
        self.name, self.source = name, path
        self.apart, self.fps, self.total = False, 0.0, 0
        self.names: list[str] = []
        self._selection, self._focal_px = selection, focal_px
        self._file = FileSource(str(path), realtime=False, loop=False)

    @property
    def left_out(self) -> list[str]:
        """A name for each broken piece of the file."""
        return [f"broken data {number + 1}" for number in range(self._file.broken)]

    def open(self) -> None:
        """Open the file. Raises UsageError when it is not there, RemiError when it is not a video."""
        self._file.open()
        self.fps = self._file.fps / self._selection.every
        self.total = self._expected()

    def frames(self, skip: int) -> Iterator[Frame]:
        """Give the wanted frames; those that are skipped are decoded all the same, so that nothing depends on where it begins."""
        first, last, wanted = None, 0.0, 0
        for number, picture in enumerate(self._file.frames()):
            time_s = float(picture.time or 0.0)
            first = time_s if first is None else first
            last = time_s - first
            if self._over(last, wanted):
                break
            if last < self._selection.start_s or number % self._selection.every:
                continue
            wanted += 1
            if wanted > skip:
                yield frame_of(self.name, number, last, picture_of(picture), self._focal_px)
        if first is None:
            raise RemiError(f"{self.source} has no picture that can be decoded ({self._file.broken} broken). Give another file")
        if not wanted:
            raise UsageError(f"{self.source} has no frame to take; its last one is at {last:.2f} s. Give other --start and --end")

    def _over(self, at: float, wanted: int) -> bool:
        """Whether a frame at a time, s, and all that follow are not wanted, after so many that were."""
        end_s, most = self._selection.end_s, self._selection.most
        return (end_s is not None and at >= end_s) or (most is not None and wanted >= most)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _expected(self) -> int:
        """How many frames there should be; 0 where the file does not tell."""
        duration_s, selection = self._file.duration_s, self._selection
        end = min(duration_s, math.inf if selection.end_s is None else selection.end_s)
        frames = max(0, round((end - selection.start_s) * self.fps))
        return min(frames, selection.most or frames)
