"""A folder of pictures, played like a film."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from remi_stream.capture.pace import Pace
from remi_stream.capture.source import Picture, State
from remi_stream.errors import RemiError, UsageError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

log = logging.getLogger("remi_stream")


class ImagesSource:
    """Reads the pictures in the order in which people count: 2.png before 10.png."""

    def __init__(self, folder: str, *, fps: float, realtime: bool, loop: bool) -> None:
        self.description = Path(folder).name
        self.state: State = "starting"
        self.fps = fps
        self.broken = 0
        self._folder = Path(folder)
        self._loop = loop
        self._pace = Pace() if realtime else None
        self._pictures: Iterator[np.ndarray] = iter(())
        self._given = 0

    def open(self) -> None:
        """List the pictures. Raises UsageError when there are none."""
        files = sorted((file for file in self._folder.iterdir() if file.suffix.lower() in ENDINGS), key=natural)
        if not files:
            raise UsageError(f"No pictures in folder {self._folder}; looked for {', '.join(ENDINGS)}")
        self._pictures = self._read(files)

    def read(self) -> Picture:
        """Give the next picture, in realtime when it is due."""
        image = next(self._pictures, None)
        if image is None:
            self.state = "ended"
            raise EOFError
        self.state = "live"
        pts = self._given / self.fps
        self._given += 1
        return Picture(image, self._pace.wait(pts) if self._pace else time.monotonic(), pts)

    def close(self) -> None:
        """Nothing to let go of."""

    def _read(self, files: list[Path]) -> Iterator[np.ndarray]:
        while True:
            readable = 0
            for file in files:
                image = cv2.imread(str(file), cv2.IMREAD_COLOR)
                if image is None:
                    self._leave_out(file)
                else:
                    readable += 1
                    yield image
            if not readable:
                raise RemiError(f"None of the {len(files)} pictures in {self._folder} can be read. Give whole picture files")
            if not self._loop:
                return

    def _leave_out(self, file: Path) -> None:
        self.broken += 1
        if self.broken == 1:
            log.warning("%s: %s cannot be read as a picture; such files are left out", self.description, file.name)


def natural(path: Path) -> list[tuple[bool, int, str]]:
    """Give what to sort a file name by: its numbers count as numbers."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", path.name.lower())]
