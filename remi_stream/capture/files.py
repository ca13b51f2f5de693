"""Real-time pacing of a video's frames."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from remi_stream.capture.source import CapturedImage, SourceState
from remi_stream.errors import RemiError, UsageError


class RealTimePacer:
    """Sleeps until each frame's pts is due, counted from the first call of `wait`."""

    def __init__(self) -> None:
        self._started_at: float | None = None

    def wait(self, pts: float) -> float:
        """Sleep until the frame with this pts, s, is due; return that moment, monotonic s."""
        if self._started_at is None:
            self._started_at = time.monotonic() - pts
        time.sleep(max(0.0, self._started_at + pts - time.monotonic()))
        return time.monotonic()


# Video file source, decoded with PyAV: as fast as possible, or in real time.


log = logging.getLogger("remi_stream")


class VideoFileSource:
    """Source of a video file. realtime: return each frame when its pts is due; captured_at is that moment."""

    def __init__(self, path: str, *, realtime: bool, loop: bool) -> None:
        self.description = Path(path).name
        self.state: SourceState = "starting"
        self.fps = 0.0
        self.broken = 0
        self._path = Path(path)
        self._pacer = RealTimePacer() if realtime else None
        self._loop = loop
        self._frames: Iterator[tuple[np.ndarray, float]] = iter(())

    def open(self) -> None:
        """Open the file. Raises UsageError if it does not exist, RemiError if it is not a video."""
        if not self._path.is_file():
            raise UsageError(f"No such video file: {self._path}. Give a file that exists (mp4, mkv, mov, avi, webm, ...)")
        try:
            self._container = av.open(str(self._path))
        except av.FFmpegError as error:
            why = _ffmpeg_error_text(error)
            raise RemiError(f"{self._path} cannot be read as a video: {why}. Give a complete video file") from None
        if not self._container.streams.video:
            raise RemiError(f"{self._path} has no video stream. Give a file with a video stream")
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1
        self.fps = float(self._stream.average_rate or 0)
        self._frames = self._decode_images()

    @property
    def duration_s(self) -> float:
        """Duration from the file's metadata, s; 0 if unknown."""
        stream, container = self._stream, self._container
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base

    def read(self) -> CapturedImage | None:
        """Return the next frame; in real time, wait until it is due."""
        try:
            image, pts = next(self._frames)
        except StopIteration:
            self.state = "ended"
            raise EOFError from None
        self.state = "live"
        return CapturedImage(image, self._pacer.wait(pts) if self._pacer else time.monotonic(), pts)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _decode_images(self) -> Iterator[tuple[np.ndarray, float]]:
        """Decode to (image, pts s); in a loop, pts continues after the last frame."""
        start, last, step = 0.0, -1.0, 1 / (self.fps or 30.0)
        while True:
            first = None
            for frame in self.frames():
                time_s = float(frame.time or 0.0)
                first = time_s if first is None else first
                last = start + time_s - first
                yield bgr_from_frame(frame), last
            if first is None:
                raise RemiError(f"{self._path} has no frame that can be decoded ({self.broken} broken). Give another file")
            if not self._loop:
                return
            start = last + step
            self._container.seek(0)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decode packet by packet, so that a corrupt packet costs one frame and is counted."""
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
                    log.warning("%s: broken data at %s; such frames are skipped", self.description, _ffmpeg_error_text(error))


def bgr_from_frame(frame: av.VideoFrame) -> np.ndarray:
    """Convert a decoded frame to (H, W, 3) uint8 BGR, upright: phones store the rotation as metadata."""
    image = frame.to_ndarray(format="bgr24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _ffmpeg_error_text(error: av.FFmpegError) -> str:
    return str(error.strerror or error).lower()


# Image folder source, played like a video.


IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of image files, lower case."""


class ImageFolderSource:
    """Source of a folder of images, in natural sort order: 2.png before 10.png."""

    def __init__(self, folder: str, *, fps: float, realtime: bool, loop: bool) -> None:
        self.description = Path(folder).name
        self.state: SourceState = "starting"
        self.fps = fps
        self.broken = 0
        self._folder = Path(folder)
        self._loop = loop
        self._pacer = RealTimePacer() if realtime else None
        self._images: Iterator[np.ndarray] = iter(())
        self._count = 0

    def open(self) -> None:
        """List the image files. Raises UsageError if there are none."""
        files = sorted((file for file in self._folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES), key=natural_sort_key)
        if not files:
            raise UsageError(f"No images in folder {self._folder}; allowed: {', '.join(IMAGE_SUFFIXES)}")
        self._images = self._read(files)

    def read(self) -> CapturedImage:
        """Return the next image; in real time, wait until it is due."""
        image = next(self._images, None)
        if image is None:
            self.state = "ended"
            raise EOFError
        self.state = "live"
        pts = self._count / self.fps
        self._count += 1
        return CapturedImage(image, self._pacer.wait(pts) if self._pacer else time.monotonic(), pts)

    def close(self) -> None:
        """Nothing to close."""

    def _read(self, files: list[Path]) -> Iterator[np.ndarray]:
        while True:
            readable = 0
            for file in files:
                image = cv2.imread(str(file), cv2.IMREAD_COLOR)
                if image is None:
                    self._skip_file(file)
                else:
                    readable += 1
                    yield image
            if not readable:
                raise RemiError(f"None of the {len(files)} images in {self._folder} can be read. Give valid image files")
            if not self._loop:
                return

    def _skip_file(self, file: Path) -> None:
        self.broken += 1
        if self.broken == 1:
            log.warning("%s: %s cannot be read as an image; such files are skipped", self.description, file.name)


def natural_sort_key(path: Path) -> list[tuple[bool, int, str]]:
    """Natural sort key of a file name: digits compare as numbers."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", path.name.lower())]
