"""The pictures that meshes' files name."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

log = logging.getLogger(__name__)


def read_picture(path: Path) -> np.ndarray | None:
    """A picture (h, w, 3) uint8 RGB; None, told in the log, if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        log.warning("texture %s cannot be read: %s", path, error.strerror)
        return None
    return decoded(data, str(path))


def decoded(data: bytes, name: str) -> np.ndarray | None:
    """The picture (h, w, 3) uint8 RGB of a file's bytes; None, told in the log, if they are none."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        log.warning("texture %s is no picture that can be read", name)
        return None
    return np.ascontiguousarray(image[..., ::-1])
