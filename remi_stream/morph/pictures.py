"""Reads texture images."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

log = logging.getLogger(__name__)


def read_texture_image(path: Path) -> np.ndarray | None:
    """Read a texture image (h, w, 3) uint8 RGB; None with a warning if it is unreadable."""
    try:
        data = path.read_bytes()
    except OSError as error:
        log.warning("texture %s cannot be read: %s", path, error.strerror)
        return None
    return decode_texture_image(data, str(path))


def decode_texture_image(data: bytes, name: str) -> np.ndarray | None:
    """Decode a texture image (h, w, 3) uint8 RGB; None with a warning if it is invalid."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        log.warning("texture %s is not a readable image", name)
        return None
    return np.ascontiguousarray(image[..., ::-1])
