"""A frame as it is shown: its panels side by side."""

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
"""BGR, beside the panels, and where there is no picture."""
OPACITY = 0.9
STANDS = {"side": (math.radians(90), math.radians(7)), "3d": (math.radians(35), math.radians(14))}
"""Panels that show the room, and from where: how far to the right of the film's camera, and how far from above."""


class Stand(NamedTuple):
    """A camera in the room, and what it sees when nobody is there."""

    camera: Camera
    empty: np.ndarray


class Scene:
    """Draws the frames of one take, or of one picture of a folder; frames may be drawn in any order and in several threads."""

    def __init__(self, look: Look, places: Layout, room: Room) -> None:
        self._panels, self._places, self._room = look.panels, places, room
        cameras = {name: room.camera(*STANDS[name], places.panel) for name in look.panels if name in STANDS}
        self._stands = {name: Stand(camera, floor.empty(room, camera)) for name, camera in cameras.items()}
        self._skins = "mesh" in look.panels or "side" in look.panels

    def draw(self, picture: np.ndarray | None, bodies: Bodies) -> np.ndarray:
        """Draw a frame with its picture (H, W, 3) uint8 BGR, if there is one: (h, w, 3) uint8 BGR of the layout's size."""
        (width, height), panel, left, top = self._places
        image = plain((width, height))
        figures = figures_of(bodies.people) if self._skins else []
        for number, name in enumerate(self._panels):
            x = left + number * panel[0]
            image[top : top + panel[1], x : x + panel[0]] = self._panel(name, picture, bodies, figures)
        return image

    def _panel(self, name: str, picture: np.ndarray | None, bodies: Bodies, figures: Sequence[Figure]) -> np.ndarray:
        if name in self._stands:
            return self._in_room(name, bodies, figures)
        image = backdrop(picture, self._places.panel)
        skins = figures if name == "mesh" else []
        mesh.draw(image, skins, film_camera(bodies.intrinsics, bodies.size, self._places.panel), OPACITY)
        drawn = {figure.track_id for figure in skins}
        skeleton.draw(image, bodies, [person for person in bodies.people if person.track_id not in drawn])
        return image

    def _in_room(self, name: str, bodies: Bodies, figures: Sequence[Figure]) -> np.ndarray:
        camera, empty = self._stands[name]
        image = empty.copy()
        if name == "3d":
            sticks.draw(image, bodies.people, self._room, camera)
            return image
        floor.cast(image, floor.mask_of([figure.vertices for figure in figures], self._room, camera))
        mesh.draw(image, figures, camera, opacity=1.0)
        return image


def backdrop(picture: np.ndarray | None, size: Size) -> np.ndarray:
    """The picture as large as its panel, a copy; without one, nothing but a colour."""
    if picture is None:
        return plain(size)
    width, height = picture.shape[1], picture.shape[0]
    if (width, height) == size:
        return picture.copy()
    smaller = size[0] * size[1] < width * height
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def plain(size: Size) -> np.ndarray:
    """A picture of one colour."""
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = BACKGROUND
    return image
