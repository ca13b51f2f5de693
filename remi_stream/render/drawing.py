"""Renders the frames of a take, prefetched by two threads; the result does not depend on their timing."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from remi_stream.formats.take import Take
from remi_stream.messages import Bodies
from remi_stream.offline.ahead import in_order
from remi_stream.render.layout import Layout
from remi_stream.render.look import Look
from remi_stream.render.pictures import Shot, shots
from remi_stream.render.room import room_of
from remi_stream.render.scene import Scene

THREADS = 2
DRAWN_AHEAD = 4

Places = Callable[[Bodies], Layout]
"""Gives the panel layout of a frame."""


class Drawn(NamedTuple):
    """A rendered frame."""

    bodies: Bodies
    image: np.ndarray
    """(h, w, 3) uint8 BGR."""


def drawn(take: Take, look: Look, places: Places) -> Generator[Drawn, None, None]:
    """Render every frame of a take, in order. The images of a folder are unrelated: each gets its own room and layout."""
    is_video = len(take.frames) > 0 and not take.images
    shared = Scene(look, places(take.frames[0]), room_of(take.frames)) if is_video else None

    def render(shot: Shot) -> Drawn:
        bodies = shot.bodies
        scene = shared or Scene(look, places(bodies), room_of([bodies]))
        return Drawn(bodies, scene.draw(shot.picture, bodies))

    with ThreadPoolExecutor(THREADS, thread_name_prefix="draw") as pool:
        yield from in_order(pool, render, shots(take), DRAWN_AHEAD)
