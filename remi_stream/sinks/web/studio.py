"""The room that people are shown in: light, the camera with its live picture, and where one looks from."""

from __future__ import annotations

import numpy as np
import viser

from remi_stream.geometry import quaternions
from remi_stream.messages import Bodies
from remi_stream.sinks.views.floor import Floor

CAMERA = "/camera"
"""The node whose frame is the camera's: x right, y down, z forward."""

FRAME = (120, 132, 150)
SIGHT_M = 0.2
"""How large the camera's picture stands in the room."""

FOV = 0.46
SIDE = 0.18
"""How far to the side one looks from, as a slope."""
PANEL, SHEET = 0.11, 0.11
"""How far the middle of what is free lies from the window's: beside the panel, radians, and above a phone's, as a slope."""
EYE_M, MIDDLE_M = 1.55, 0.86
NARROW = 1.45
"""How much farther away one stands in a window that is higher than wide."""
ELBOWS_M = 0.5
"""How much room people need beside their pelvis."""
BROAD, SLIM = 0.24, 0.1
"""Half of what can be seen beside the panel, and in a window that is higher than wide, radians."""
STEP_M, FARTHEST_M = 0.25, 14.0
"""How much farther away one steps as long as not everybody can be seen."""
BEHIND_M = 2.3
"""How far behind the camera one stands, to see it."""


class Studio:
    """Everything in the scene but the people and the floor."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._scene = server.scene
        self._target = np.array([0.0, MIDDLE_M, -3.7])
        self._sides = np.array([[-ELBOWS_M, 0.0, -3.7], [ELBOWS_M, 0.0, -3.7]])
        """Where the people to be seen stand, and where their elbows are."""
        self._scene.set_up_direction("+y")
        self._light()
        self._camera = self._scene.add_frame(CAMERA, show_axes=False)
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
        lens = (2 * float(np.arctan2(height / 2, bodies.intrinsics[1])), width / height)
        if self._frustum is None or lens != self._lens:
            self._lens = lens
            self._frustum = self._scene.add_camera_frustum(
                f"{CAMERA}/picture", *lens, scale=SIGHT_M, thickness=0.006, color=FRAME, format="jpeg", cast_shadow=False
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
            places = np.array(pelvises) @ rotation.T + position
            middle = (places.min(0) + places.max(0)) / 2
            self._target = np.array([middle[0], MIDDLE_M, middle[2]])
            elbows = np.array([[ELBOWS_M, 0.0, 0.0]])
            self._sides = np.concatenate([places - elbows, places + elbows])

    def recentre(self, client: viser.ClientHandle) -> None:
        """Let a client look at everybody from the front; in a wide window at the camera too, to the left of the panel."""
        camera = client.camera
        wide = camera.image_width > camera.image_height
        away = max(4.0, BEHIND_M - self._target[2]) * (1.0 if wide else NARROW)
        while self._breadth(away, wide)[1] > (BROAD if wide else SLIM) and away < FARTHEST_M:
            away += STEP_M
        eye, heading = self._eye(away), self._breadth(away, wide)[0] - (PANEL if wide else 0.0)
        with client.atomic():
            camera.fov = FOV
            camera.position = eye
            camera.look_at = (
                eye[0] - away * np.sin(heading),
                MIDDLE_M - (0.0 if wide else SHEET * away),
                eye[2] - away * np.cos(heading),
            )

    def _eye(self, away: float) -> np.ndarray:
        return np.array([self._target[0] / 2 + SIDE * away, EYE_M, self._target[2] + away])

    def _breadth(self, away: float, wide: bool) -> tuple[float, float]:
        """Where the middle of what is to be seen is from so far away, and half of how broad it is; radians."""
        seen = np.concatenate([self._sides, np.zeros((1, 3))]) if wide else self._sides
        bearings = [_bearing(self._eye(away), point) for point in seen]
        return (max(bearings) + min(bearings)) / 2, (max(bearings) - min(bearings)) / 2

    def _light(self) -> None:
        """A high key light from the left that casts the shadow, a softer one from the right, and the sky."""
        self._scene.configure_default_lights(False)
        self._scene.configure_environment_map(None)
        self._scene.add_light_directional("/light/key", intensity=1.7, cast_shadow=True, position=(-1.6, 4.0, 2.2))
        self._scene.add_light_directional("/light/rim", intensity=0.7, position=(3.0, 2.0, -3.0))
        self._scene.add_light_hemisphere("/light/sky", sky_color=(235, 242, 255), ground_color=(150, 146, 142), intensity=1.5)


def _bearing(eye: np.ndarray, point: np.ndarray) -> float:
    """How far to the left of straight ahead a point is, radians."""
    return float(np.arctan2(eye[0] - point[0], eye[2] - point[2]))
