"""A take as pictures, drawn ahead in two threads; what comes out depends on neither."""

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
"""Where the panels of a frame are."""


class Drawn(NamedTuple):
    """A frame. image: (h, w, 3) uint8 BGR."""

    bodies: Bodies
    image: np.ndarray


def drawn(take: Take, look: Look, places: Places) -> Generator[Drawn, None, None]:
    """Draw every frame of a take, in order. A folder's pictures have nothing in common: each has a room of its own."""
    together = len(take.frames) > 0 and not take.images
    common = Scene(look, places(take.frames[0]), room_of(take.frames)) if together else None

    def work(shot: Shot) -> Drawn:
        bodies = shot.bodies
        scene = common or Scene(look, places(bodies), room_of([bodies]))
        return Drawn(bodies, scene.draw(shot.picture, bodies))

    with ThreadPoolExecutor(THREADS, thread_name_prefix="draw") as pool:
        yield from in_order(pool, work, shots(take), DRAWN_AHEAD)
