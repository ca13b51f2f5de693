"""Small videos, made on demand."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def film(
    path: Path,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    times: Sequence[int] | None = None,
    turned: int = 0,
    codec: str = "libx264",
) -> Path:
    """Write a video that becomes brighter, 30 fps or at `times` in 1/90000 s; turned: rotation in its metadata, degrees."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 10
        if times:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 90000)
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), index * 4 % 256, np.uint8), format="bgr24")
            if times:
                picture.pts, picture.time_base = times[index], Fraction(1, 90000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    if turned:
        mark_turned(path, turned)
    return path


def mark_turned(path: Path, degrees: int) -> None:
    """Write the rotation into an MP4's display matrix, the first track header's last 3 x 3 numbers of 16.16."""
    data = bytearray(path.read_bytes())
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = np.array([[cos * 0x10000, sin * 0x10000, 0], [-sin * 0x10000, cos * 0x10000, 0], [0, 0, 0x40000000]], ">i4")
    at = data.index(b"tkhd") + 4 + 4 + 20 + 16
    data[at : at + 36] = matrix.tobytes()
    path.write_bytes(bytes(data))


def encode(path: Path, frames: Sequence[np.ndarray], fps: int = 30) -> Path:
    """Write frames (H, W, 3) uint8 BGR as a video of good quality."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "12"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path
