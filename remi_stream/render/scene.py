"""Renders a frame as panels side by side: overlays on the image and views of a virtual room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.messages import Bodies
from remi_stream.render import floor, mesh, skeleton, sticks
from remi_stream.render.camera import RenderCamera, Size, video_camera
from remi_stream.render.figure import PosedMesh, posed_meshes
from remi_stream.render.layout import PanelLayout
from remi_stream.render.look import RenderOptions
from remi_stream.render.room import SceneRoom

BACKGROUND_BGR = (36, 31, 28)
"""BGR, beside the panels, and of panels without an image."""
MESH_OPACITY = 0.9
"""Of meshes over the image."""
ROOM_VIEWS = {"side": (math.radians(90), math.radians(7)), "3d": (math.radians(35), math.radians(14))}
"""Yaw (to the right of the video camera) and pitch (downwards) of the virtual camera of each room panel, rad."""


class RoomView(NamedTuple):
    """A virtual camera of a room panel."""

    camera: RenderCamera
    background: np.ndarray
    """Image of the empty room, (h, w, 3) uint8 BGR."""


class SceneRenderer:
    """Renders the frames of one video, or one image of a folder; in any order, thread-safe."""

    def __init__(self, options: RenderOptions, layout: PanelLayout, room: SceneRoom) -> None:
        self._panels, self._layout, self._room = options.panels, layout, room
        cameras = {
            name: room.virtual_camera(*ROOM_VIEWS[name], layout.panel_size) for name in options.panels if name in ROOM_VIEWS
        }
        self._room_views = {name: RoomView(camera, floor.draw_empty_room(room, camera)) for name, camera in cameras.items()}
        self._draws_meshes = "mesh" in options.panels or "side" in options.panels

    def render(self, image: np.ndarray | None, bodies: Bodies) -> np.ndarray:
        """Render a frame: (h, w, 3) uint8 BGR of the layout's size. image: its source image (H, W, 3) uint8 BGR, if any."""
        (width, height), panel, left, top = self._layout
        image = blank_image((width, height))
        figures = posed_meshes(bodies.people) if self._draws_meshes else []
        for number, name in enumerate(self._panels):
            x = left + number * panel[0]
            image[top : top + panel[1], x : x + panel[0]] = self._panel(name, image, bodies, figures)
        return image

    def _panel(self, name: str, picture: np.ndarray | None, bodies: Bodies, figures: Sequence[PosedMesh]) -> np.ndarray:
        if name in self._room_views:
            return self._room_panel(name, bodies, figures)
        image = resize_to_panel(picture, self._layout.panel_size)
        meshes = figures if name == "mesh" else []
        mesh.draw_meshes(image, meshes, video_camera(bodies.intrinsics, bodies.size, self._layout.panel_size), MESH_OPACITY)
        # People without a mesh are drawn as skeletons in the mesh view, too.
        drawn = {figure.track_id for figure in meshes}
        skeleton.draw_skeletons(image, bodies, [person for person in bodies.people if person.track_id not in drawn])
        return image

    def _room_panel(self, name: str, bodies: Bodies, figures: Sequence[PosedMesh]) -> np.ndarray:
        camera, empty = self._room_views[name]
        image = empty.copy()
        if name == "3d":
            sticks.draw_sticks(image, bodies.people, self._room, camera)
            return image
        floor.draw_shadow(image, floor.shadow_mask([figure.vertices for figure in figures], self._room, camera))
        mesh.draw_meshes(image, figures, camera, opacity=1.0)
        return image


def resize_to_panel(image: np.ndarray | None, size: Size) -> np.ndarray:
    """Resize an image to its panel, as a copy; without one, a plain background."""
    if image is None:
        return blank_image(size)
    width, height = image.shape[1], image.shape[0]
    if (width, height) == size:
        return image.copy()
    shrinks = size[0] * size[1] < width * height
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def blank_image(size: Size) -> np.ndarray:
    """Make an image in the background colour."""
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = BACKGROUND_BGR
    return image
