"""Writes a take as PNG images, one per frame (`png`)."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np

from remi_stream.formats.take import Take
from remi_stream.render.drawing import drawn
from remi_stream.render.layout import layout
from remi_stream.render.look import Look

QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 2]
"""Low compression, for speed."""


def write(take: Take, folder: Path, look: Look | None = None) -> list[Path]:
    """Render a take to PNG files, named like the source images or by frame number. Raises OSError."""
    look = look or Look()
    names, paths = names_of(take), []
    with contextlib.closing(drawn(take, look, lambda bodies: layout(look, bodies.size))) as frames:
        for bodies, image in frames:
            paths.append(folder / f"{names.get(bodies.frame_id, f'{bodies.frame_id:06d}')}.png")
            paths[-1].write_bytes(encoded(image))
    return paths


def names_of(take: Take) -> dict[int, str]:
    """Names of a folder's images by frame_id, without extensions; with them where two names would be the same."""
    stems = [Path(name).stem for name in take.images]
    return {number: stem if stems.count(stem) == 1 else name for number, (stem, name) in enumerate(zip(stems, take.images))}


def encoded(image: np.ndarray) -> bytes:
    """Encode an image (h, w, 3) uint8 BGR as PNG."""
    _, data = cv2.imencode(".png", image, QUICK)
    return data.tobytes()
