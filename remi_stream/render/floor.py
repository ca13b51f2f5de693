"""Draws the floor of a room: a grid with 0.5 m spacing that fades out, and the shadows of people on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from remi_stream.geometry import project, unproject
from remi_stream.render.camera import RenderCamera
from remi_stream.render.room import SceneRoom
from remi_stream.render.skeleton import FRACTION_BITS, Bgr, fixed_point

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
    """Darken an image in place where shadow (h / SHADOW_DOWNSCALE, w / SHADOW_DOWNSCALE) uint8 is 255, with Gaussian-blurred edges."""
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
