"""The room that people are shown in: floor, light, the camera with its live picture, and where one looks from."""

from __future__ import annotations

import numpy as np
import viser

from remi_stream.geometry import quaternions
from remi_stream.messages import Bodies
from remi_stream.sinks.web.floor import Floor

CAMERA = "/camera"
"""The node whose frame is the camera's: x right, y down, z forward."""

GRID, CROSS = (122, 129, 140), (134, 142, 156)
FRAME = (120, 132, 150)
SIGHT_M = 0.55
"""How large the camera's picture stands in the room."""

VIEW_FOV = 0.62
MIDDLE_M = 0.9
"""Height of the point that is looked at."""


class Studio:
    """Everything in the scene but the people."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._server = server
        self._target = np.array([0.0, MIDDLE_M, -3.0])
        scene = server.scene
        scene.set_up_direction("+y")
        scene.configure_default_lights(True, cast_shadow=True)
        scene.configure_environment_map("studio", environment_intensity=0.55)
        scene.add_grid(
            "/floor",
            plane="xz",
            infinite_grid=True,
            cell_size=0.5,
            section_size=1.0,
            cell_thickness=0.6,
            section_thickness=1.0,
            cell_color=GRID,
            section_color=CROSS,
            fade_distance=16.0,
            fade_strength=2.0,
            shadow_opacity=0.45,
        )
        self._camera = scene.add_frame(CAMERA, show_axes=False)
        self._frustum: viser.CameraFrustumHandle | None = None
        self._lens = (0.0, 0.0)

    def place(self, floor: Floor) -> None:
        """Put the camera above the floor as far and as tipped as it is estimated to be."""
        rotation, position = floor.world_from_camera()
        self._camera.wxyz = quaternions(rotation)[[3, 0, 1, 2]]
        self._camera.position = position

    def hang(self, image: np.ndarray, bodies: Bodies) -> None:
        """Show the camera's picture, (h, w, 3) uint8 RGB, in its place."""
        width, height = bodies.size
        lens = (2 * np.arctan2(height / 2, bodies.intrinsics[1]), width / height)
        if self._frustum is None or lens != self._lens:
            self._lens = lens
            self._frustum = self._server.scene.add_camera_frustum(
                f"{CAMERA}/picture", *lens, scale=SIGHT_M, thickness=0.012, color=FRAME, format="jpeg", cast_shadow=False
            )
        self._frustum.visible = True
        self._frustum.image = image

    def take_down(self) -> None:
        """Show the camera without a picture."""
        if self._frustum is not None:
            self._frustum.visible = False

    def aim(self, bodies: Bodies, floor: Floor) -> None:
        """Remember where people are, for who comes and for who wants to look from the front again."""
        pelvises = [person.smpl.transl for person in bodies.people if person.smpl is not None]
        if pelvises:
            rotation, position = floor.world_from_camera()
            middle = rotation @ np.mean(pelvises, axis=0) + position
            self._target = np.array([middle[0], MIDDLE_M, middle[2]])

    def recentre(self, client: viser.ClientHandle) -> None:
        """Let a client look at the people from the front; at the camera too, where the window is wide enough."""
        camera = client.camera
        wide = camera.image_width > camera.image_height
        x, y, z = self._target
        away = max(2.0, -z)
        camera.fov = VIEW_FOV
        with client.atomic():
            camera.position = (x + 1.9, 1.75, 1.5) if wide else (x + 0.9, 1.5, z + away * 1.15 + 1)
            camera.look_at = (x * 0.5 - 0.25, y, z * 0.78) if wide else (x, y, z)
