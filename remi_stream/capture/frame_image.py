"""Images of decoded frames: BGR, with square pixels, oriented as the container says."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.sidedata.sidedata import SideData, SideDataContainer
from av.video.reformatter import VideoReformatter

from remi_stream.capture.container_crop import NO_CROP, ContainerCrop

MAX_PIXELS, MAX_LIVE_PIXELS = 1 << 28, 1 << 26
"""Largest image, px. Live less: decoding takes a second, and the stage's watchdog ends a read of 6 s."""
MAX_STRETCH = 4.0
"""Largest stretch of pixels that is believed; anamorphic videos have 2 at most."""

_of_thread = threading.local()


def pixel_limit(max_pixels: int) -> dict[str, str]:
    """Return FFmpeg's option that refuses larger images before their memory is taken (av.ArgumentError); for `av.open` too, which
    decodes some.
    """
    return {"max_pixels": str(max_pixels)}


def oversized_reason(max_pixels: int) -> str:
    """Return why an image is refused with av.ArgumentError."""
    return f"an image with more than {max_pixels / 1e6:.0f} megapixels, or damaged"


def configure_decoder(decoder: av.VideoCodecContext, max_pixels: int = MAX_LIVE_PIXELS) -> None:
    """Set a decoder up before its first frame: largest image, one thread, and all of the crop that the codec states."""
    decoder.options = {**decoder.options, **pixel_limit(max_pixels)}
    decoder.thread_count = 1  # frame threads hold frames back: with OpenCV at 720p 70 ms of latency, 39 ms without
    decoder.flags |= Flags.unaligned  # without it, FFmpeg leaves up to 63 px at the left that the stream crops


class Orientation(NamedTuple):
    """One of the eight ways in which an image can lie: transposed first, then flipped."""

    transpose: bool
    flip_x: bool
    flip_y: bool


def orientation_of(matrix: np.ndarray) -> Orientation:
    """Nearest orientation of a display matrix (3, 3): x' = a x + c y, y' = b x + d y, with rows (a, b, u), (c, d, v)."""
    a, b, c, d = (float(matrix[at]) for at in ((0, 0), (0, 1), (1, 0), (1, 1)))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def bgr_from_frame(frame: av.VideoFrame, pixel_aspect: Fraction | None = None, crop: ContainerCrop = NO_CROP) -> np.ndarray:
    """Convert a decoded frame to (H, W, 3) uint8 BGR: cropped, with square pixels, oriented as the container says."""
    image: np.ndarray = _reformatter().reformat(frame, format="bgr24", threads=1).to_ndarray()
    if any(crop):
        height, width = image.shape[:2]
        image = np.ascontiguousarray(image[crop.top : height - crop.bottom, crop.left : width - crop.right])
    image = square_pixels(image, pixel_aspect)
    # not frame.side_data: the frame would keep it, it keeps the frame, and both their memory until the next garbage collection
    matrix = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if not isinstance(matrix, SideData):
        return image
    transpose, flip_x, flip_y = orientation_of(np.frombuffer(bytes(matrix)[:36], np.int32).reshape(3, 3))
    image = image.transpose(1, 0, 2) if transpose else image
    return np.ascontiguousarray(image[:: -1 if flip_y else 1, :: -1 if flip_x else 1])


def square_pixels(image: np.ndarray, pixel_aspect: Fraction | None) -> np.ndarray:
    """Stretch an image (H, W, 3), whose pixels are pixel_aspect times as wide as high, so that no pixel is lost."""
    if not pixel_aspect or pixel_aspect == 1 or not 1 / MAX_STRETCH <= pixel_aspect <= MAX_STRETCH:
        return image
    height, width = image.shape[:2]
    size = (round(width * pixel_aspect), height) if pixel_aspect > 1 else (width, round(height / pixel_aspect))
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def _reformatter() -> VideoReformatter:
    """This thread's converter, made once: frame.to_ndarray(format=...) makes one with a thread per core for every frame.

    At 720p that took 1.3 ms of CPU time instead of 0.4 ms.
    """
    if not hasattr(_of_thread, "reformatter"):
        _of_thread.reformatter = VideoReformatter()
    reformatter: VideoReformatter = _of_thread.reformatter
    return reformatter
