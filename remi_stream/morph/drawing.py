"""Renders the frames of a morph: one camera, fitted to all shapes in between, and frames rendered ahead by threads."""

from __future__ import annotations

import math
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from remi_stream.geometry import cross_product
from remi_stream.morph.cpu_renderer import SUPERSAMPLING, CpuMeshRenderer
from remi_stream.morph.gpu_renderer import GpuMeshRenderer
from remi_stream.morph.pair import MorphPair, vertex_colours
from remi_stream.prefetch import ordered_map
from remi_stream.render.camera import RenderCamera, Size
from remi_stream.render.video import encode_png

YAW, PITCH = math.radians(24), math.radians(8)
"""The camera is slightly to the right of the front and looks slightly down."""
UP_AXES = {
    "y": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]]),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
}
"""Right, up and away of a front view as rows, by vertical axis of the mesh; the front faces +z (y up) or -y (z up)."""
MAX_FILL = 0.88
"""Largest share of the image's width and height that a mesh fills."""
FOCAL_SHARE = 2.0
"""Focal length relative to the longer side of the image: long, for little perspective distortion."""
MIN_DISTANCE = 1e-9
"""Minimum distance of the camera, for degenerate meshes."""


def fit_camera(points: np.ndarray, up: str, size: Size, back: bool = False) -> RenderCamera:
    """Fit a camera to points (N, 3), from the front or from behind. up: key of UP_AXES."""
    right, upwards, away = UP_AXES[up]
    yaw = YAW + math.pi * back
    level = math.cos(yaw) * away - math.sin(yaw) * right
    forward = math.cos(PITCH) * level - math.sin(PITCH) * upwards
    sideways = cross_product(-upwards, level)
    rotation = np.stack([sideways, cross_product(forward, sideways), forward])
    rotated = points @ rotation.T
    centre = (rotated.min(0) + rotated.max(0)) / 2
    focal_px, half_px = FOCAL_SHARE * max(size), np.array(size) * MAX_FILL / 2
    # the nearest distance from which every point is inside the image
    distance = (np.abs(rotated - centre)[:, :2] * focal_px / half_px - (rotated - centre)[:, 2:]).max()
    position = (centre - (0, 0, max(float(distance), MIN_DISTANCE))) @ rotation
    return RenderCamera((focal_px, focal_px, (size[0] - 1) / 2, (size[1] - 1) / 2), size, rotation, position)


RENDER_THREADS, RENDER_AHEAD = 2, 4
"""Threads, and frames that are rendered ahead in them."""
CAMERA_SAMPLES = 21
"""Number of shapes along the morph that the camera is fitted to."""


class MorphOptions(NamedTuple):
    """How a morph is rendered."""

    frames: int = 41
    """Number of frames; the first and the last are the meshes themselves."""
    size: Size = (720, 720)
    """Of the images, px."""
    up: str = "y"
    """Vertical axis of the meshes, "y" or "z"."""
    gpu: Any = None
    """An OpenGL context; None renders on the CPU."""


class MorphFrame(NamedTuple):
    """A rendered frame of a morph."""

    number: int
    vertices: np.ndarray
    """(V, 3), in the unit of the meshes."""
    image: np.ndarray
    """(h, w, 3) uint8 RGB."""
    png: bytes
    """The image, encoded."""


def render_morph(pair: MorphPair, options: MorphOptions) -> Generator[MorphFrame, None, None]:
    """Render all frames of a morph, in order, prefetched by threads; with a GPU in the caller's thread only."""
    renderer = make_renderer(pair, options, morph_points(pair, options.frames))
    ends = vertex_colours(pair.a), vertex_colours(pair.b)

    def draw(number: int) -> MorphFrame:
        share = number / (options.frames - 1)
        vertices = pair.path(share)
        image = renderer.render(vertices, ends[0] * (1 - share) + ends[1] * share)
        return MorphFrame(number, vertices, image, b"" if options.gpu else encode_rgb_png(image))

    numbers = range(options.frames)
    with ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="morph") as pool:
        # an OpenGL context belongs to one thread: there only the PNG encoding runs ahead
        if options.gpu:
            yield from ordered_map(
                pool, lambda frame: frame._replace(png=encode_rgb_png(frame.image)), map(draw, numbers), RENDER_AHEAD
            )
        else:
            yield from ordered_map(pool, draw, numbers, RENDER_AHEAD)


def make_renderer(
    pair: MorphPair, options: MorphOptions, points: np.ndarray, back: bool = False
) -> CpuMeshRenderer | GpuMeshRenderer:
    """Make the renderer of a pair's mesh, with a camera that sees these points (N, 3). back: from behind."""
    supersampling = 1 if options.gpu else SUPERSAMPLING
    camera = fit_camera(points, options.up, (options.size[0] * supersampling, options.size[1] * supersampling), back)
    if options.gpu:
        return GpuMeshRenderer(options.gpu, pair.a.faces, pair.vertex_faces, camera)
    return CpuMeshRenderer(pair.a.faces, pair.vertex_faces, camera)


def morph_points(pair: MorphPair, count: int) -> np.ndarray:
    """Sample vertices along the morph, (N, 3), to fit the camera to."""
    return np.concatenate([pair.path(share) for share in np.linspace(0, 1, min(count, CAMERA_SAMPLES))])


def encode_rgb_png(image: np.ndarray) -> bytes:
    """Encode an image (h, w, 3) uint8 RGB as PNG."""
    return encode_png(np.ascontiguousarray(image[..., ::-1]))
