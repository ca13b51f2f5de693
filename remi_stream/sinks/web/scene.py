"""The viser scene of the web viewer: lights, the camera's frustum with its live image, the clients' viewpoint, people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import viser

from remi_stream.geometry import quaternions_from_matrices
from remi_stream.messages import Bodies, Person
from remi_stream.render.floor import FloorEstimator
from remi_stream.sinks.live_view import TrackTimes
from remi_stream.sinks.web.figure import PersonNode

CAMERA_NODE = "/camera"
"""The node whose frame is the camera's: x right, y down, z forward."""

FRUSTUM_COLOUR = (120, 132, 150)
"""RGB."""
FRUSTUM_M = 0.2
"""Size of the camera's frustum, m."""

FOV_RAD = 0.46
"""Vertical field of view, radians."""
EYE_SIDE_SLOPE = 0.18
"""Sideways offset of the viewpoint per metre of distance."""
PANEL_OFFSET_RAD, SHEET_OFFSET_SLOPE = 0.11, 0.11
"""Offset of the free area's centre: beside the panel (radians), and above a phone's panel (slope)."""
EYE_HEIGHT_M, TARGET_HEIGHT_M = 1.55, 0.86
"""Height of the viewpoint and of the point looked at, m."""
PORTRAIT_FACTOR = 1.45
"""Factor of the distance in a portrait window."""
PERSON_HALF_WIDTH_M = 0.5
"""Free space kept on each side of a pelvis, m."""
LANDSCAPE_HALF_VIEW_RAD, PORTRAIT_HALF_VIEW_RAD = 0.24, 0.1
"""Half of the visible angle beside the panel, and in a portrait window, radians."""
DISTANCE_STEP_M, MAX_DISTANCE_M = 0.25, 14.0
"""Step and limit of the distance while not all people are in view, m."""
BEHIND_CAMERA_M = 2.3
"""Distance of the viewpoint behind the camera, m, so that the camera is in view."""


class SceneBackdrop:
    """Everything in the scene except people and floor: lights, the camera's frustum, the clients' viewpoint."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._scene = server.scene
        # Until someone is in view: about where the sample clip's person stands (3.5 to 4.3 m from the camera).
        self._target = np.array([0.0, TARGET_HEIGHT_M, -3.7])
        self._sides = np.array([[-PERSON_HALF_WIDTH_M, 0.0, -3.7], [PERSON_HALF_WIDTH_M, 0.0, -3.7]])
        """Points (N, 3), m, to keep in view: left and right of each person."""
        self._scene.set_up_direction("+y")
        self._add_lights()
        self._camera = self._scene.add_frame(CAMERA_NODE, show_axes=False)
        self._frustum: viser.CameraFrustumHandle | None = None
        self._frustum_shape = (0.0, 0.0)

    def place_camera(self, floor: FloorEstimator) -> None:
        """Place the camera at its estimated height and tilt above the floor."""
        rotation, position = floor.world_from_camera()
        self._camera.wxyz = quaternions_from_matrices(rotation)[[3, 0, 1, 2]]
        self._camera.position = position

    def show_preview(self, image: np.ndarray, bodies: Bodies) -> None:
        """Show the camera's image, (h, w, 3) uint8 RGB, in its frustum."""
        width, height = bodies.size
        shape = (2 * float(np.arctan2(height / 2, bodies.intrinsics[1])), width / height)
        if self._frustum is None or shape != self._frustum_shape:
            self._frustum_shape = shape
            self._frustum = self._scene.add_camera_frustum(
                f"{CAMERA_NODE}/image",
                *shape,
                scale=FRUSTUM_M,
                thickness=0.006,
                color=FRUSTUM_COLOUR,
                format="jpeg",
                cast_shadow=False,
            )
        self._frustum.visible = True
        self._frustum.image = image

    def hide_preview(self) -> None:
        """Hide the camera's frustum and image."""
        if self._frustum is not None:
            self._frustum.visible = False

    def remember_people(self, bodies: Bodies, floor: FloorEstimator) -> None:
        """Remember people's positions for `recentre`."""
        pelvises = [person.smpl.transl for person in bodies.people if person.smpl is not None]
        if pelvises:
            rotation, position = floor.world_from_camera()
            positions = np.array(pelvises) @ rotation.T + position
            middle = (positions.min(0) + positions.max(0)) / 2
            self._target = np.array([middle[0], TARGET_HEIGHT_M, middle[2]])
            side = np.array([[PERSON_HALF_WIDTH_M, 0.0, 0.0]])
            self._sides = np.concatenate([positions - side, positions + side])

    def recentre(self, client: viser.ClientHandle) -> None:
        """Set a client's viewpoint: all people from the front, in a landscape window also the camera, left of the panel."""
        camera = client.camera
        wide = camera.image_width > camera.image_height
        distance = max(4.0, BEHIND_CAMERA_M - self._target[2]) * (1.0 if wide else PORTRAIT_FACTOR)
        while (
            self._angular_extent(distance, wide)[1] > (LANDSCAPE_HALF_VIEW_RAD if wide else PORTRAIT_HALF_VIEW_RAD)
            and distance < MAX_DISTANCE_M
        ):
            distance += DISTANCE_STEP_M
        eye, heading = self._eye(distance), self._angular_extent(distance, wide)[0] - (PANEL_OFFSET_RAD if wide else 0.0)
        with client.atomic():
            camera.fov = FOV_RAD
            camera.position = eye
            camera.look_at = (
                eye[0] - distance * np.sin(heading),
                TARGET_HEIGHT_M - (0.0 if wide else SHEET_OFFSET_SLOPE * distance),
                eye[2] - distance * np.cos(heading),
            )

    def _eye(self, distance: float) -> np.ndarray:
        return np.array([self._target[0] / 2 + EYE_SIDE_SLOPE * distance, EYE_HEIGHT_M, self._target[2] + distance])

    def _angular_extent(self, distance: float, wide: bool) -> tuple[float, float]:
        """Bearing of the centre of what is kept in view, from this distance, and half of its angular width; radians."""
        points = np.concatenate([self._sides, np.zeros((1, 3))]) if wide else self._sides
        bearings = [_bearing(self._eye(distance), point) for point in points]
        return (max(bearings) + min(bearings)) / 2, (max(bearings) - min(bearings)) / 2

    def _add_lights(self) -> None:
        """Add a high key light from the left that casts shadows, a rim light from the right, and a sky light."""
        self._scene.configure_default_lights(False)
        self._scene.configure_environment_map(None)
        self._scene.add_light_directional("/light/key", intensity=1.7, cast_shadow=True, position=(-1.6, 4.0, 2.2))
        self._scene.add_light_directional("/light/rim", intensity=0.7, position=(3.0, 2.0, -3.0))
        self._scene.add_light_hemisphere("/light/sky", sky_color=(235, 242, 255), ground_color=(150, 146, 142), intensity=1.5)


def _bearing(eye: np.ndarray, point: np.ndarray) -> float:
    """Angle of a point to the left of straight ahead, radians."""
    return float(np.arctan2(eye[0] - point[0], eye[2] - point[2]))


class ScenePerson(NamedTuple):
    """A track in the scene."""

    node: PersonNode
    person: Person
    """As last received."""


class ScenePeople:
    """Scene nodes of one camera's people, by track. Nodes of removed tracks are reused: a skinned mesh is costly to send."""

    def __init__(self, scene: viser.SceneApi, parent: str) -> None:
        self._scene, self._parent = scene, parent
        self._by_track: dict[int, ScenePerson] = {}
        self._times = TrackTimes()
        self._free: list[PersonNode] = []

    @property
    def track_ids(self) -> list[int]:
        """The tracks in the scene, sorted."""
        return sorted(self._by_track)

    @property
    def people(self) -> list[Person]:
        """The people in the scene, as last received, sorted by track."""
        return [self._by_track[track_id].person for track_id in self.track_ids]

    def update(
        self,
        bodies: Bodies,
        floor: FloorEstimator,
        now: float,
        *,
        skin: bool,
        bones: bool,
        by_confidence: bool = False,
        trail: bool = False,
    ) -> None:
        """Update with the bodies of a frame. now: monotonic s. skin, bones, by_confidence, trail: see PersonNode.update."""
        for person in bodies.people:
            known = self._by_track.get(person.track_id)
            node = known.node if known else self._free_node(person.track_id)
            self._by_track[person.track_id] = ScenePerson(node, person)
            self._times.mark_seen(person.track_id, now)
            node.update(person, floor, bodies.captured_at, skin=skin, bones=bones, by_confidence=by_confidence, trail=trail)

    def keep_visible(self, bodies: Bodies, now: float) -> None:
        """Keep the people of these bodies from fading, while playback is paused. now: monotonic s."""
        for person in bodies.people:
            if person.track_id in self._by_track:
                self._times.mark_seen(person.track_id, now)

    def remove_stale(self, now: float) -> None:
        """Fade tracks over the second half of their time without bodies, then remove them. now: monotonic s."""
        for track_id, entry in self._by_track.items():
            opacity = 2 * self._times.visibility(track_id, now)
            if opacity < 1:
                entry.node.set_opacity(opacity)
        for track_id in self._times.pop_stale(now):
            self._free.append(self._by_track.pop(track_id).node)

    def clear(self) -> None:
        """Remove all people."""
        self.remove_stale(float("inf"))

    def _free_node(self, track_id: int) -> PersonNode:
        """A node for a new track: one of a removed track, or a new one."""
        number = len(self._by_track) + len(self._free)
        node = self._free.pop() if self._free else PersonNode(self._scene, f"{self._parent}/person-{number}")
        node.assign(track_id)
        return node
