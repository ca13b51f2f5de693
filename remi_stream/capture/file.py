"""A video file, as fast as it is wanted or at a camera's pace."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from remi_stream.capture.pace import Pace
from remi_stream.capture.source import Picture, State
from remi_stream.errors import RemiError, UsageError

log = logging.getLogger("remi_stream")


class FileSource:
    """Reads a file with PyAV. realtime: a picture is given when it is due, and captured_at is that moment."""

    def __init__(self, path: str, *, realtime: bool, loop: bool) -> None:
        self.description = Path(path).name
        self.state: State = "starting"
        self.fps = 0.0
        self.broken = 0
        self._path = Path(path)
        self._pace = Pace() if realtime else None
        self._loop = loop
        self._pictures: Iterator[tuple[np.ndarray, float]] = iter(())

    def open(self) -> None:
        """Open the file. Raises UsageError when it is not there, RemiError when it is not a video."""
        if not self._path.is_file():
            raise UsageError(f"No such video file: {self._path}. Give a file that exists (mp4, mkv, mov, avi, webm, ...)")
        try:
            self._container = av.open(str(self._path))
        except av.FFmpegError as error:
            raise RemiError(f"{self._path} cannot be read as a video: {_words(error)}. Give a complete video file") from None
        if not self._container.streams.video:
            raise RemiError(f"{self._path} has no video stream. Give a file with a picture")
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1
        self.fps = float(self._stream.average_rate or 0)
        self._pictures = self._decode()

    @property
    def duration_s(self) -> float:
        """How long it lasts, as far as the file tells; 0 if it does not."""
        stream, container = self._stream, self._container
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base

    def read(self) -> Picture | None:
        """Give the next picture, in realtime when it is due."""
        try:
            image, pts = next(self._pictures)
        except StopIteration:
            self.state = "ended"
            raise EOFError from None
        self.state = "live"
        return Picture(image, self._pace.wait(pts) if self._pace else time.monotonic(), pts)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _decode(self) -> Iterator[tuple[np.ndarray, float]]:
        """Give (image, pts); in a loop pts goes on from the last frame's end."""
        start, last, step = 0.0, -1.0, 1 / (self.fps or 30.0)
        while True:
            first = None
            for frame in self.frames():
                time_s = float(frame.time or 0.0)
                first = time_s if first is None else first
                last = start + time_s - first
                yield picture_of(frame), last
            if first is None:
                raise RemiError(f"{self._path} has no picture that can be decoded ({self.broken} broken). Give another file")
            if not self._loop:
                return
            start = last + step
            self._container.seek(0)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decode packet by packet, so that a broken one costs one picture and is counted."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                yield from packet.decode()
            except StopIteration:
                return
            except av.EOFError:
                return
            except av.FFmpegError as error:
                self.broken += 1
                if self.broken == 1:
                    log.warning("%s: broken data at %s; such frames are left out", self.description, _words(error))


def picture_of(frame: av.VideoFrame) -> np.ndarray:
    """Give the frame as BGR, upright: phones store the turn beside the picture."""
    image = frame.to_ndarray(format="bgr24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _words(error: av.FFmpegError) -> str:
    return str(error.strerror or error).lower()
