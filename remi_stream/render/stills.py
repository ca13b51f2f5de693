"""Writes a take as PNG images, one per frame (`png`)."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np

from remi_stream.formats.take import Take
from remi_stream.render.drawing import render_frames
from remi_stream.render.layout import panel_layout
from remi_stream.render.look import RenderOptions

PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 2]
"""Low compression, for speed."""


def write_images(take: Take, folder: Path, options: RenderOptions | None = None) -> list[Path]:
    """Render a take to PNG files, named like the source images or by frame number. Raises OSError."""
    options = options or RenderOptions()
    names, paths = image_names(take), []
    with contextlib.closing(render_frames(take, options, lambda bodies: panel_layout(options, bodies.size))) as frames:
        for bodies, image in frames:
            paths.append(folder / f"{names.get(bodies.frame_id, f'{bodies.frame_id:06d}')}.png")
            paths[-1].write_bytes(encode_png(image))
    return paths


def image_names(take: Take) -> dict[int, str]:
    """Names of a folder's images by frame_id, without extensions; with them where two names would be the same."""
    stems = [Path(name).stem for name in take.images]
    return {number: stem if stems.count(stem) == 1 else name for number, (stem, name) in enumerate(zip(stems, take.images))}


def encode_png(image: np.ndarray) -> bytes:
    """Encode an image (h, w, 3) uint8 BGR as PNG."""
    _, data = cv2.imencode(".png", image, PNG_OPTIONS)
    return data.tobytes()
