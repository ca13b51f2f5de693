"""A take as pictures, one for each frame: `png`."""

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


def write(take: Take, folder: Path, look: Look | None = None) -> list[Path]:
    """Fill a folder with pictures, called like those that they were drawn on, or by the frame's number. Raises OSError."""
    look = look or Look()
    names, paths = names_of(take), []
    with contextlib.closing(drawn(take, look, lambda bodies: layout(look, bodies.size))) as frames:
        for bodies, image in frames:
            paths.append(folder / f"{names.get(bodies.frame_id, f'{bodies.frame_id:06d}')}.png")
            paths[-1].write_bytes(encoded(image))
    return paths


def names_of(take: Take) -> dict[int, str]:
    """What a folder's pictures are called without their endings, by frame_id; with them where two would be called alike."""
    stems = [Path(name).stem for name in take.images]
    return {number: stem if stems.count(stem) == 1 else name for number, (stem, name) in enumerate(zip(stems, take.images))}


def encoded(image: np.ndarray) -> bytes:
    """A picture (h, w, 3) uint8 BGR as a PNG."""
    _, data = cv2.imencode(".png", image, QUICK)
    return data.tobytes()
