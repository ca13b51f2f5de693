"""Renders the frames of a morph."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np

from remi_stream.morph.gpu_painter import GpuPainter
from remi_stream.morph.painter import FINE, Painter
from remi_stream.morph.pair import Pair
from remi_stream.morph.textures import colours
from remi_stream.morph.view import camera_of
from remi_stream.offline.ahead import in_order
from remi_stream.render.camera import Size

THREADS, AHEAD = 2, 4
ASKED = 21
"""Number of shapes along the morph that the camera is fitted to."""
QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 2]
"""Low compression, for speed."""


class Look(NamedTuple):
    """How a morph is rendered."""

    frames: int = 41
    """Number of frames; the first and the last are the meshes themselves."""
    size: Size = (720, 720)
    """Of the images, px."""
    up: str = "y"
    """Vertical axis of the meshes, "y" or "z"."""
    gpu: Any = None
    """An OpenGL context; None renders on the CPU."""


class Drawn(NamedTuple):
    """A rendered frame of a morph."""

    number: int
    vertices: np.ndarray
    """(V, 3), in the unit of the meshes."""
    image: np.ndarray
    """(h, w, 3) uint8 RGB."""
    png: bytes
    """The image, encoded."""


def frames(pair: Pair, look: Look) -> Generator[Drawn, None, None]:
    """Render all frames of a morph, in order, prefetched by threads; with a GPU in the caller's thread only."""
    painter = painter_of(pair, look, points(pair, look.frames))
    ends = colours(pair.a), colours(pair.b)

    def draw(number: int) -> Drawn:
        share = number / (look.frames - 1)
        vertices = pair.passage(share)
        image = painter.draw(vertices, ends[0] * (1 - share) + ends[1] * share)
        return Drawn(number, vertices, image, b"" if look.gpu else png(image))

    numbers = range(look.frames)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="morph") as pool:
        if look.gpu:
            yield from in_order(pool, lambda drawn: drawn._replace(png=png(drawn.image)), map(draw, numbers), AHEAD)
        else:
            yield from in_order(pool, draw, numbers, AHEAD)


def painter_of(pair: Pair, look: Look, points: np.ndarray, back: bool = False) -> Painter | GpuPainter:
    """Make the renderer of a pair's mesh, with a camera that sees these points (N, 3). back: from behind."""
    supersampling = 1 if look.gpu else FINE
    camera = camera_of(points, look.up, (look.size[0] * supersampling, look.size[1] * supersampling), back)
    if look.gpu:
        return GpuPainter(look.gpu, pair.a.faces, pair.around, camera)
    return Painter(pair.a.faces, pair.around, camera)


def points(pair: Pair, count: int) -> np.ndarray:
    """Sample vertices along the morph, (N, 3), to fit the camera to."""
    return np.concatenate([pair.passage(share) for share in np.linspace(0, 1, min(count, ASKED))])


def png(image: np.ndarray) -> bytes:
    """Encode an image (h, w, 3) uint8 RGB as PNG."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]), QUICK)
    return data.tobytes()
