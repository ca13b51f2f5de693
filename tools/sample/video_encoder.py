"""Video encoding of clips."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sample.camera import HEIGHT, WIDTH
from sample.timeline import FPS

Array = NDArray[Any]


def encode(path: Path, images: Iterable[Array], preset: str) -> None:
    """Encode RGB images to H.264 in MP4: a key frame every 0.5 s, no B-frames, reproducible bytes."""
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        options = {"crf": "21", "preset": preset, "tune": "animation", "bf": "0", "g": "15", "flags": "+bitexact"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes on every machine
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
