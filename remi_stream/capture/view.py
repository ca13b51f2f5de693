"""Crop, scale and encode a frame for the view that a consumer requests."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from remi_stream.messages import Frame, FrameView


def render_view(frame: Frame, view: FrameView) -> Frame:
    """Crop a BGR frame to a view, scale it down to the longest side, and encode it; never enlarges."""
    x0, y0, x1, y1 = _clip_to_image(view.rectangle or frame.rectangle, frame.size)
    image = frame.image[y0:y1, x0:x1]
    scale = min(1.0, (view.longest_side or max(image.shape)) / max(image.shape[:2]))
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if view.encoding == "jpeg":
        image = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].reshape(-1)
    rectangle = (float(x0), float(y0), float(x1), float(y1))
    pixels = np.ascontiguousarray(image)
    return msgspec.structs.replace(frame, image=pixels, rectangle=rectangle, encoding=view.encoding)


def _clip_to_image(rectangle: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = rectangle
    left, top = min(max(0, int(x0)), size[0] - 1), min(max(0, int(y0)), size[1] - 1)
    return left, top, max(left + 1, min(size[0], round(x1))), max(top + 1, min(size[1], round(y1)))
