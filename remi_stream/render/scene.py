"""Renders a frame as panels side by side: overlays on the image and views of a virtual room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.messages import Bodies
from remi_stream.render import floor, mesh, skeleton, sticks
from remi_stream.render.camera import Camera, Size, film_camera
from remi_stream.render.figure import Figure, figures_of
from remi_stream.render.layout import Layout
from remi_stream.render.look import Look
from remi_stream.render.room import Room

BACKGROUND = (36, 31, 28)
"""BGR, beside the panels, and of panels without an image."""
OPACITY = 0.9
"""Of meshes over the image."""
STANDS = {"side": (math.radians(90), math.radians(7)), "3d": (math.radians(35), math.radians(14))}
"""Yaw (to the right of the video camera) and pitch (downwards) of the virtual camera of each room panel, rad."""


class Stand(NamedTuple):
    """A virtual camera of a room panel."""

    camera: Camera
    empty: np.ndarray
    """Image of the empty room, (h, w, 3) uint8 BGR."""


class Scene:
    """Renders the frames of one video, or one image of a folder; in any order, thread-safe."""

    def __init__(self, look: Look, places: Layout, room: Room) -> None:
        self._panels, self._layout, self._room = look.panels, places, room
        cameras = {name: room.camera(*STANDS[name], places.panel) for name in look.panels if name in STANDS}
        self._room_views = {name: Stand(camera, floor.empty(room, camera)) for name, camera in cameras.items()}
        self._draws_meshes = "mesh" in look.panels or "side" in look.panels

    def draw(self, picture: np.ndarray | None, bodies: Bodies) -> np.ndarray:
        """Render a frame: (h, w, 3) uint8 BGR of the layout's size. picture: its source image (H, W, 3) uint8 BGR, if any."""
        (width, height), panel, left, top = self._layout
        image = plain((width, height))
        figures = figures_of(bodies.people) if self._draws_meshes else []
        for number, name in enumerate(self._panels):
            x = left + number * panel[0]
            image[top : top + panel[1], x : x + panel[0]] = self._panel(name, picture, bodies, figures)
        return image

    def _panel(self, name: str, picture: np.ndarray | None, bodies: Bodies, figures: Sequence[Figure]) -> np.ndarray:
        if name in self._room_views:
            return self._room_panel(name, bodies, figures)
        image = backdrop(picture, self._layout.panel)
        meshes = figures if name == "mesh" else []
        mesh.draw(image, meshes, film_camera(bodies.intrinsics, bodies.size, self._layout.panel), OPACITY)
        # People without a mesh are drawn as skeletons in the mesh view, too.
        drawn = {figure.track_id for figure in meshes}
        skeleton.draw(image, bodies, [person for person in bodies.people if person.track_id not in drawn])
        return image

    def _room_panel(self, name: str, bodies: Bodies, figures: Sequence[Figure]) -> np.ndarray:
        camera, empty = self._room_views[name]
        image = empty.copy()
        if name == "3d":
            sticks.draw(image, bodies.people, self._room, camera)
            return image
        floor.cast(image, floor.mask_of([figure.vertices for figure in figures], self._room, camera))
        mesh.draw(image, figures, camera, opacity=1.0)
        return image


def backdrop(picture: np.ndarray | None, size: Size) -> np.ndarray:
    """Resize an image to its panel, as a copy; without one, a plain background."""
    if picture is None:
        return plain(size)
    width, height = picture.shape[1], picture.shape[0]
    if (width, height) == size:
        return picture.copy()
    shrinks = size[0] * size[1] < width * height
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def plain(size: Size) -> np.ndarray:
    """Make an image in the background colour."""
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = BACKGROUND
    return image
