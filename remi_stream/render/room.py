"""The room of a take: floor plane, the box that people move in, and its image: a grid that fades out, with shadows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import cross_product, project, unit_vectors, unproject
from remi_stream.messages import Bodies
from remi_stream.render.camera import RenderCamera, Size
from remi_stream.render.floor import fit_floor_plane
from remi_stream.render.skeleton import FRACTION_BITS, Bgr, fixed_point

MAX_SAMPLED_FRAMES = 600
"""At most this many frames of a take are sampled."""
SOLE_OFFSET_M = 0.03
"""Height of the foot joints above the floor."""
BOX_PERCENTILES = (3, 97)
"""Percentiles of the joints that span the box; joints outside are rare or outliers."""
MAX_ROOM_M = 12.0
"""Maximum width and depth of the box."""
MIN_ROOM_HEIGHT_M = 1.8
"""Minimum height of the box."""
ROOM_MARGIN_M = 0.3
"""Margin around the joints."""
DEFAULT_JOINTS = np.array([[0.0, -0.7, 4.0], [0.0, 1.1, 4.0]])
"""A head and a foot, m, video camera frame, for a take without people."""
MAX_FILL = 0.84
"""Largest share of the image's width and height that the room fills."""
FOCAL_SHARE = 1.5
"""Focal length of virtual cameras, relative to the longer side of the image: long, for little perspective distortion."""


class SceneRoom(NamedTuple):
    """A floor-aligned box around the people of a take."""

    axes: np.ndarray
    """(3, 3), unit vectors right, up, away as rows, video camera frame; up is normal to the floor."""
    low: np.ndarray
    """(3,), lower corner, m, along the axes; low[1] is the floor."""
    high: np.ndarray
    """(3,), upper corner, m, along the axes."""

    def to_video_camera(self, points: np.ndarray) -> np.ndarray:
        """Transform points (..., 3) from the room's axes to the video camera frame."""
        return points @ self.axes

    def on_floor(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3) onto the floor along its normal, video camera frame."""
        above = points @ self.axes[1] - self.low[1]
        return points - above[..., None] * self.axes[1]

    def virtual_camera(self, yaw: float, pitch: float, size: Size) -> RenderCamera:
        """Place a virtual camera that sees the whole box. yaw: rad, to the right of the video camera; pitch: rad, downwards."""
        right, up, away = self.axes
        level = math.cos(yaw) * away - math.sin(yaw) * right
        forward = math.cos(pitch) * level - math.sin(pitch) * up
        sideways = unit_vectors(cross_product(-up, level))
        rotation = np.stack([sideways, cross_product(forward, sideways), forward])
        focal_px = FOCAL_SHARE * max(size)
        corners = (self.to_video_camera(self.corners()) - self.to_video_camera(self.centre)) @ rotation.T
        room_px = np.array(size) * MAX_FILL / 2
        # The nearest distance at which every corner is inside the image, both horizontally and vertically.
        distance = (np.abs(corners[:, :2]) * focal_px / room_px - corners[:, 2:]).max()
        position = self.to_video_camera(self.centre) - distance * forward
        return RenderCamera((focal_px, focal_px, (size[0] - 1) / 2, (size[1] - 1) / 2), size, rotation, position)

    @property
    def centre(self) -> np.ndarray:
        """Centre of the box, (3,), along the room's axes."""
        return (self.low + self.high) / 2

    def corners(self) -> np.ndarray:
        """Corners of the box, (8, 3), along the room's axes."""
        return np.array([[x, y, z] for x in _extent(self, 0) for y in _extent(self, 1) for z in _extent(self, 2)])


def _extent(room: SceneRoom, axis: int) -> tuple[float, float]:
    return float(room.low[axis]), float(room.high[axis])


def fit_room(frames: Sequence[Bodies]) -> SceneRoom:
    """Estimate the room of frames: a floor plane fitted to the lowest joints, and the box of all joints."""
    every = max(1, math.ceil(len(frames) / MAX_SAMPLED_FRAMES))
    poses = list(_finite_joints(islice(iter(frames), 0, None, every))) or [DEFAULT_JOINTS]
    # y points down: the largest is the lowest joint
    lowest = np.array([joints[joints[:, 1].argmax()] for joints in poses])
    level, roll, pitch = fit_floor_plane(lowest)
    axes = level_axes(roll, pitch)
    along_axes = np.concatenate(poses) @ axes.T
    floor = (np.array([0.0, level + SOLE_OFFSET_M, 0.0]) @ axes.T)[1]
    return SceneRoom(axes, *_box(along_axes, floor))


def level_axes(roll: float, pitch: float) -> np.ndarray:
    """Axes right, up, away (3, 3) of a floor with slopes `roll` along x and `pitch` along z of the camera."""
    up = unit_vectors(np.array([roll, -1.0, pitch]))
    away = unit_vectors(np.array([0.0, 0.0, 1.0]) - up[2] * up)
    return np.stack([cross_product(-up, away), up, away])


def _finite_joints(frames: Iterable[Bodies]) -> Iterable[np.ndarray]:
    """The finite joints (J, 3) of each person that has any."""
    for bodies in frames:
        for person in bodies.people:
            joints = person.joints_m[np.isfinite(person.joints_m).all(1)].astype(float)
            if len(joints):
                yield joints


def _box(joints: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.percentile(joints, BOX_PERCENTILES, axis=0)
    middle = np.median(joints, axis=0)
    low, high = (
        np.maximum(low - ROOM_MARGIN_M, middle - MAX_ROOM_M / 2),
        np.minimum(high + ROOM_MARGIN_M, middle + MAX_ROOM_M / 2),
    )
    low[1], high[1] = floor, max(high[1], floor + MIN_ROOM_HEIGHT_M)
    return low, high


SKY, HORIZON = np.array([250.0, 248, 246]), np.array([226.0, 222, 219])
"""BGR, at the top and the bottom of the image."""
FLOOR_COLOUR: Bgr = (247, 246, 245)
GRID_COLOUR: Bgr = (196, 191, 187)
GRID_STEP_M = 0.5
"""Spacing of the grid lines."""
FADE_M = 2.5
"""The floor fades out over this distance beside the people."""
SHADOW_DOWNSCALE = 4
"""Shadow masks are smaller than the image by this factor: they are blurred anyway."""
SHADOW_STRENGTH = 0.32
"""Share of the brightness that a full shadow takes."""
OUTSIDE_PX = -1e4
"""Coordinate of points that cannot be projected."""
NEAR_PLANE_M = 0.1
"""Near clipping plane."""

FloorPoint = tuple[float, float]
"""A point on the floor: right and away, m, along the room's axes."""


def draw_empty_room(room: SceneRoom, camera: RenderCamera) -> np.ndarray:
    """Draw the empty room: (h, w, 3) uint8 BGR."""
    width, height = camera.size
    down = np.linspace(0, 1, height)[:, None, None]
    walls = np.broadcast_to(SKY + (HORIZON - SKY) * down, (height, width, 3))
    tiles = np.empty((height, width, 3), np.uint8)
    tiles[:] = FLOOR_COLOUR
    for a, b in _grid(room, camera):
        cv2.line(tiles, a, b, GRID_COLOUR, 1, cv2.LINE_AA, FRACTION_BITS)
    return (walls + (tiles - walls) * _floor_opacity(room, camera)[..., None]).round().astype(np.uint8)


def _grid(room: SceneRoom, camera: RenderCamera) -> Iterator[list[list[int]]]:
    """The end points of the grid lines in front of the camera, fixed-point px."""
    x0, z0 = np.floor((room.low[[0, 2]] - FADE_M) / GRID_STEP_M) * GRID_STEP_M
    x1, z1 = np.ceil((room.high[[0, 2]] + FADE_M) / GRID_STEP_M) * GRID_STEP_M
    for x in np.arange(x0, x1 + GRID_STEP_M / 2, GRID_STEP_M):
        yield from _line(room, camera, (x, z0), (x, z1))
    for z in np.arange(z0, z1 + GRID_STEP_M / 2, GRID_STEP_M):
        yield from _line(room, camera, (x0, z), (x1, z))


def _line(room: SceneRoom, camera: RenderCamera, a: FloorPoint, b: FloorPoint) -> Iterator[list[list[int]]]:
    """Clip a grid line from a to b at the near plane; nothing if it is behind the camera."""
    inside = np.array([[x, room.low[1], z] for x, z in (a, b)])
    near, far = sorted(camera.to_camera(room.to_video_camera(inside)), key=lambda point: float(point[2]))
    if far[2] <= NEAR_PLANE_M:
        return
    if near[2] < NEAR_PLANE_M:
        near = near + (far - near) * (NEAR_PLANE_M - near[2]) / (far[2] - near[2])
    yield fixed_point(project(np.stack([near, far]), camera.intrinsics)).tolist()


def _floor_opacity(room: SceneRoom, camera: RenderCamera) -> np.ndarray:
    """Opacity of the floor per pixel, (h, w): 1 inside the room's box, 0 beyond FADE_M and above the horizon."""
    x, y = np.meshgrid(np.arange(camera.size[0]), np.arange(camera.size[1]))
    directions = np.concatenate([unproject(np.stack([x, y], -1), camera.intrinsics), np.ones((*x.shape, 1))], -1)
    right, up, away = np.moveaxis(directions @ (room.axes @ camera.rotation.T).T, -1, 0)
    origin = room.axes @ camera.position
    # Distance along each viewing ray to the floor plane; rays that do not go down never meet it.
    reach = (room.low[1] - origin[1]) / np.minimum(up, -1e-6)
    outside = [
        np.maximum(low - at, at - high).clip(0)
        for at, low, high in (
            (origin[0] + reach * right, room.low[0], room.high[0]),
            (origin[2] + reach * away, room.low[2], room.high[2]),
        )
    ]
    share = (1 - np.hypot(*outside) / FADE_M).clip(0, 1)
    return np.where(up < 0, share * share * (3 - 2 * share), 0)  # smoothstep


def draw_shadow(image: np.ndarray, shadow: np.ndarray) -> None:
    """Darken an image in place where shadow (h / SHADOW_DOWNSCALE, w / SHADOW_DOWNSCALE) uint8 is 255, with blurred edges."""
    soft = cv2.GaussianBlur(shadow, (0, 0), max(1.0, shadow.shape[0] / 90))
    light = cv2.resize(soft, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    image[:] = (image * (1 - light * (SHADOW_STRENGTH / 255))[..., None]).astype(np.uint8)


def empty_shadow_mask(camera: RenderCamera) -> np.ndarray:
    """Make an empty shadow mask for a camera."""
    return np.zeros((-(-camera.size[1] // SHADOW_DOWNSCALE), -(-camera.size[0] // SHADOW_DOWNSCALE)), np.uint8)


def shadow_mask(meshes: Sequence[np.ndarray], room: SceneRoom, camera: RenderCamera) -> np.ndarray:
    """Draw the shadow mask of meshes, vertices (V, 3) m each, video camera frame."""
    mask = empty_shadow_mask(camera)
    for vertices in meshes:
        x, y = np.round(shadow_points(vertices, room, camera)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
        mask[y[inside], x[inside]] = 255
    return cv2.dilate(mask, np.ones((3, 3), np.uint8))


def shadow_points(points: np.ndarray, room: SceneRoom, camera: RenderCamera) -> np.ndarray:
    """Project points (N, 3), m, video camera frame, down to the floor and into a mask, px (N, 2); OUTSIDE_PX if behind."""
    on_floor = camera.to_camera(room.on_floor(points))
    valid = np.isfinite(on_floor).all(1) & (on_floor[:, 2] > NEAR_PLANE_M)
    return np.where(
        valid[:, None], project(np.where(valid[:, None], on_floor, 1.0), camera.intrinsics) / SHADOW_DOWNSCALE, OUTSIDE_PX
    )
