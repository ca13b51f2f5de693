"""Image folder source, played like a video."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from remi_stream.capture.pace import RealTimePacer
from remi_stream.capture.source import CapturedImage, SourceState
from remi_stream.errors import RemiError, UsageError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of image files, lower case."""

log = logging.getLogger("remi_stream")


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
