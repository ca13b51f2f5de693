"""The way between two meshes as pictures."""

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
"""So many shapes of the way are asked how much room they need."""
QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 2]


class Look(NamedTuple):
    """frames: how many, the first and the last one are the meshes. size: of a picture, px. up: the axis that is up, "y" or "z".

    gpu: an OpenGL context; None draws on the CPU.
    """

    frames: int = 41
    size: Size = (720, 720)
    up: str = "y"
    gpu: Any = None


class Drawn(NamedTuple):
    """A frame of the way. vertices: (V, 3). image: (h, w, 3) uint8 RGB. png: the same as a file."""

    number: int
    vertices: np.ndarray
    image: np.ndarray
    png: bytes


def frames(pair: Pair, look: Look) -> Generator[Drawn, None, None]:
    """Every frame of the way, in order, drawn ahead in threads; a GPU draws in the caller's, which opened it."""
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
    """Who draws the surface of a pair, with a camera that sees these points (N, 3)."""
    fine = 1 if look.gpu else FINE
    camera = camera_of(points, look.up, (look.size[0] * fine, look.size[1] * fine), back)
    if look.gpu:
        return GpuPainter(look.gpu, pair.a.faces, pair.around, camera)
    return Painter(pair.a.faces, pair.around, camera)


def points(pair: Pair, count: int) -> np.ndarray:
    """Where vertices are on the way, (N, 3), often enough to know how much room it takes."""
    return np.concatenate([pair.passage(share) for share in np.linspace(0, 1, min(count, ASKED))])


def png(image: np.ndarray) -> bytes:
    """A picture (h, w, 3) uint8 RGB as a file."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]), QUICK)
    return data.tobytes()
