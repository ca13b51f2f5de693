"""Image folder as offline footage of independent images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from remi_stream.capture.images import IMAGE_SUFFIXES, natural_sort_key
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Frame
from remi_stream.mounts import empty_mount_hint
from remi_stream.offline.footage import make_frame

IMAGE_FPS = 30.0
"""Frame rate of a video made of the images."""


class ImageFootage:
    """Images of a folder in natural sort order, rotated by their EXIF orientation."""

    def __init__(self, folder: Path, name: str, focal_px: float | None) -> None:
        self.name, self.source = name, folder
        self.is_independent, self.fps, self.expected_frames = True, IMAGE_FPS, 0
        self.unreadable: list[str] = []
        self.image_names: list[str] = []
        self._focal_px = focal_px
        self._files: list[Path] = []

    def open(self) -> None:
        """List the image files. Raises UsageError if there are none."""
        try:
            files = [file for file in self.source.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
        except OSError as error:
            raise UsageError(f"{self.source} is not a folder of images: {error.strerror}. Give one that exists") from None
        if not files:
            raise UsageError(
                f"No images in folder {self.source}; allowed: {', '.join(IMAGE_SUFFIXES)}{empty_mount_hint(self.source)}"
            )
        self._files = sorted(files, key=natural_sort_key)
        self.expected_frames = len(files)

    @property
    def files(self) -> list[str]:
        """File names of all images, in order, once it is open."""
        return [file.name for file in self._files]

    def frames(self, skip: int) -> Iterator[Frame]:
        """Yield the images that can be read."""
        for file in self._files:
            image = read_image(file)
            if image is None:
                self.unreadable.append(file.name)
                continue
            self.image_names.append(file.name)
            number = len(self.image_names) - 1
            if number >= skip:
                yield make_frame(self.name, number, number / IMAGE_FPS, image, self._focal_px)
        if not self.image_names:
            raise RemiError(f"None of the {self.expected_frames} images in {self.source} can be read. Give valid image files")

    def close(self) -> None:
        """Nothing to close."""


def read_image(file: Path) -> np.ndarray | None:
    """Read an image (H, W, 3) uint8 BGR; None if it cannot be read."""
    try:
        data = np.fromfile(file, np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except (OSError, cv2.error):
        return None
