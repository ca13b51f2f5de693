"""Renders the frames of a take, prefetched by two threads; the result does not depend on their timing."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from remi_stream.formats.take import Take
from remi_stream.messages import Bodies
from remi_stream.offline.ahead import ordered_map
from remi_stream.render.layout import PanelLayout
from remi_stream.render.look import RenderOptions
from remi_stream.render.pictures import SourceFrame, source_frames
from remi_stream.render.room import fit_room
from remi_stream.render.scene import SceneRenderer

RENDER_THREADS = 2
RENDER_AHEAD = 4

LayoutOf = Callable[[Bodies], PanelLayout]
"""Gives the panel layout of a frame."""


class RenderedFrame(NamedTuple):
    """A rendered frame."""

    bodies: Bodies
    image: np.ndarray
    """(h, w, 3) uint8 BGR."""


def render_frames(take: Take, options: RenderOptions, layout_of: LayoutOf) -> Generator[RenderedFrame, None, None]:
    """Render every frame of a take, in order. The images of a folder are unrelated: each gets its own room and layout."""
    is_video = len(take.frames) > 0 and not take.images
    shared = SceneRenderer(options, layout_of(take.frames[0]), fit_room(take.frames)) if is_video else None

    def render(shot: SourceFrame) -> RenderedFrame:
        bodies = shot.bodies
        scene = shared or SceneRenderer(options, layout_of(bodies), fit_room([bodies]))
        return RenderedFrame(bodies, scene.render(shot.image, bodies))

    with ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="draw") as pool:
        yield from ordered_map(pool, render, source_frames(take), RENDER_AHEAD)
