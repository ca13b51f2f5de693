"""Video files and image folders: their readers, and the sources that play them as a camera would.

Offline runs read the same files frame by frame, with the same readers (footage.py).
"""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from remi_stream.capture.frame_image import MAX_LIVE_PIXELS, MAX_PIXELS
from remi_stream.capture.source import CapturedImage, LazyImage
from remi_stream.capture.video_reader import DEFAULT_FPS, VideoReader
from remi_stream.config import CameraConfig
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import CameraState
from remi_stream.paths import path_from_text, printable_path
from remi_stream.permission_hints import empty_mount_hint

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp")
"""Suffixes of video files, lower case."""
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of image files, lower case."""
MAX_SIDE = 16384
"""Longest side of an image, px, as of a camera's `size`."""
MAX_SLEEP_S = 1.0
"""Longest wait of a read, s; the stage's watchdog, of 6 s, must not take a slow source for one that hangs."""

log = logging.getLogger("remi_stream")


class ImageReader:
    """Reads the images of a folder in natural order: 2.png before 10.png."""

    def __init__(self, folder: Path, max_pixels: int = MAX_PIXELS) -> None:
        self.folder, self.max_pixels = folder, max_pixels
        self.files: list[Path] = []

    def open(self) -> None:
        """List the image files. Raises UsageError if there are none."""
        try:
            files = [file for file in self.folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
        except OSError as error:
            shown = printable_path(self.folder)
            raise UsageError(f"{shown} is not a folder of images: {error.strerror}. Give one that exists") from None
        if not files:
            hint = empty_mount_hint(self.folder)
            raise UsageError(f"No images in folder {printable_path(self.folder)}; allowed: {', '.join(IMAGE_SUFFIXES)}{hint}")
        self.files = sorted(files, key=natural_sort_key)

    def images(self) -> Iterator[tuple[Path, np.ndarray | None]]:
        """Read each file: (H, W, 3) uint8 BGR, or None if it cannot be read. Raises RemiError at the end if none can."""
        readable = 0
        for file in self.files:
            image = read_image(file, self.max_pixels)
            readable += image is not None
            yield file, image
        if not readable:
            shown = printable_path(self.folder)
            raise RemiError(f"None of the {len(self.files)} images in {shown} can be read. Give valid image files")


class RealTimePacer:
    """Paces frames by their pts, counted from the first one."""

    def __init__(self) -> None:
        self._started_at: float | None = None

    def wait(self, pts: float) -> float | None:
        """Sleep until the frame with this pts, s, is due; return that moment, monotonic s, or None after `MAX_SLEEP_S`."""
        if self._started_at is None:
            self._started_at = time.monotonic() - pts
        wait_s = max(0.0, self._started_at + pts - time.monotonic())
        time.sleep(min(wait_s, MAX_SLEEP_S))
        return time.monotonic() if wait_s <= MAX_SLEEP_S else None


class PacedSource:
    """Source whose images, (pts s, image or a function that returns it), come when they are due, or at once if not in real time.

    captured_at is that moment.
    """

    def __init__(self, path: Path, fps: float, *, realtime: bool) -> None:
        self.description = printable_path(path.name)
        self.state: CameraState = "starting"
        self.fps = fps
        self._pacer = RealTimePacer() if realtime else None
        self._images: Iterator[tuple[float, LazyImage]] = iter(())
        self._next: tuple[float, LazyImage] | None = None

    def read(self) -> CapturedImage | None:
        """Return the next image; None if it is not due within `MAX_SLEEP_S`. Raises EOFError after the last one."""
        if self._next is None:
            self._next = next(self._images, None)
        if self._next is None:
            self.state = "ended"
            raise EOFError
        self.state = "live"
        pts, image = self._next
        captured_at = self._pacer.wait(pts) if self._pacer else time.monotonic()
        if captured_at is None:
            return None
        self._next = None
        return CapturedImage(image, captured_at, pts)


class VideoFileSource(PacedSource):
    """Source of a video file. fps: frame rate to use instead of the file's times."""

    def __init__(self, path: Path, *, realtime: bool, loop: bool, fps: float | None = None) -> None:
        super().__init__(path, 0.0, realtime=realtime)
        self._video = VideoReader(path, fps, MAX_LIVE_PIXELS)
        self._loop = loop

    def open(self) -> None:
        """Open the file. Raises UsageError if it does not exist, RemiError if it is not a video."""
        self._video.open()
        self.fps = self._video.fps
        self._images = self._decode()

    def close(self) -> None:
        """Close the file."""
        self._video.close()

    def _decode(self) -> Iterator[tuple[float, LazyImage]]:
        """Decode to (pts s, image); in a loop, pts continues after the last frame."""
        start, step = 0.0, 1 / (self.fps or DEFAULT_FPS)
        while True:
            last = None
            for time_s, frame in self._video.frames():
                last = start + time_s
                yield last, partial(self._video.image, frame)
            if last is None:
                raise self._video.no_frame_error()
            if not self._loop:
                return
            start = last + step
            self._video.rewind()


class ImageFolderSource(PacedSource):
    """Source of a folder of images, `fps` of them a second. Unreadable files are skipped and the first one is logged."""

    def __init__(self, folder: Path, *, fps: float, realtime: bool, loop: bool) -> None:
        super().__init__(folder, fps, realtime=realtime)
        self.broken = 0
        self._reader = ImageReader(folder, MAX_LIVE_PIXELS)
        self._loop = loop

    def open(self) -> None:
        """List the image files. Raises UsageError if there are none."""
        self._reader.open()
        self._images = self._read()

    def close(self) -> None:
        """Nothing to close."""

    def _read(self) -> Iterator[tuple[float, LazyImage]]:
        numbers = itertools.count()
        while True:
            for file, image in self._reader.images():
                if image is None:
                    self._skip_file(file)
                else:
                    yield next(numbers) / self.fps, image
            if not self._loop:
                return

    def _skip_file(self, file: Path) -> None:
        self.broken += 1
        if self.broken == 1:
            why = f"cannot be read as an image, or has more than {MAX_LIVE_PIXELS / 1e6:.0f} megapixels; such files are skipped"
            log.warning("%s: %s %s", self.description, printable_path(file.name), why)


def read_image(file: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray | None:
    """Read an image (H, W, 3) uint8 BGR, rotated by its EXIF orientation; None if it cannot be read or is too large."""
    try:
        width, height = _header_size(file)
        if width * height > max_pixels or max(width, height) > MAX_SIDE:
            return None
        image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error, MemoryError, ValueError, SyntaxError):  # SyntaxError: Pillow's for a broken PNG
        return None
    return None if image is None or image.size > 3 * max_pixels or max(image.shape) > MAX_SIDE else image


def _header_size(file: Path) -> tuple[int, int]:
    """(width, height) px of an image by its header. Raises OSError if its size is unknown, although Pillow knows all of
    `IMAGE_SUFFIXES`: of what OpenCV alone reads, whatever its name, the size could not be limited before it is decoded.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # no warning of a large image: only its header is read
    with Image.open(file) as image:
        return image.size


def natural_sort_key(path: Path) -> list[tuple[bool, int, str]]:
    """Natural sort key of a file name: ASCII digits compare as numbers, all other characters by their code."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(number % 2 == 0, int(part) if number % 2 else 0, part) for number, part in enumerate(parts)]


def make_video_source(camera: CameraConfig, *, restarted: bool = False) -> VideoFileSource:
    """Make the source of a camera that is a video file."""
    return VideoFileSource(path_from_text(camera.source), realtime=camera.realtime, loop=camera.loop, fps=camera.fps)


def make_image_source(camera: CameraConfig, *, restarted: bool = False) -> ImageFolderSource:
    """Make the source of a camera that is a folder of images."""
    folder = path_from_text(camera.source)
    return ImageFolderSource(folder, fps=camera.fps or DEFAULT_FPS, realtime=camera.realtime, loop=camera.loop)
