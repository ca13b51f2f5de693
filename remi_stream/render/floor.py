"""The room as it is drawn: a light floor with a line each half metre, and the shadows of who stands on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from remi_stream.geometry import project, rays
from remi_stream.render.camera import Camera
from remi_stream.render.room import Room
from remi_stream.render.skeleton import FRACTION_BITS, Colour, fixed

SKY, HORIZON = np.array([250.0, 248, 246]), np.array([226.0, 222, 219])
"""BGR, at the top and at the bottom of the picture."""
FLOOR: Colour = (247, 246, 245)
LINE: Colour = (196, 191, 187)
STEP_M = 0.5
FADE_M = 2.5
"""So far beside the people the floor is seen, ever less."""
COARSE = 4
"""Shadows are made of pixels so many times larger."""
SHADOW = 0.32
OUTSIDE_PX = -1e4
NEAREST_M = 0.1

Place = tuple[float, float]
"""On the floor: right and away, m, along the room's axes."""


def empty(room: Room, camera: Camera) -> np.ndarray:
    """The room with nobody in it: (h, w, 3) uint8 BGR."""
    width, height = camera.size
    down = np.linspace(0, 1, height)[:, None, None]
    walls = np.broadcast_to(SKY + (HORIZON - SKY) * down, (height, width, 3))
    tiles = np.empty((height, width, 3), np.uint8)
    tiles[:] = FLOOR
    for a, b in _grid(room, camera):
        cv2.line(tiles, a, b, LINE, 1, cv2.LINE_AA, FRACTION_BITS)
    return (walls + (tiles - walls) * _nearness(room, camera)[..., None]).round().astype(np.uint8)


def _grid(room: Room, camera: Camera) -> Iterator[list[list[int]]]:
    """The ends of the floor's lines, fixed point px, those in front of the camera."""
    x0, z0 = np.floor((room.low[[0, 2]] - FADE_M) / STEP_M) * STEP_M
    x1, z1 = np.ceil((room.high[[0, 2]] + FADE_M) / STEP_M) * STEP_M
    for x in np.arange(x0, x1 + STEP_M / 2, STEP_M):
        yield from _line(room, camera, (x, z0), (x, z1))
    for z in np.arange(z0, z1 + STEP_M / 2, STEP_M):
        yield from _line(room, camera, (x0, z), (x1, z))


def _line(room: Room, camera: Camera, a: Place, b: Place) -> Iterator[list[list[int]]]:
    """The part of a line on the floor between places that is in front of the camera, if there is one."""
    inside = np.array([[x, room.low[1], z] for x, z in (a, b)])
    near, far = sorted(camera.seen(room.points(inside)), key=lambda point: float(point[2]))
    if far[2] <= NEAREST_M:
        return
    if near[2] < NEAREST_M:
        near = near + (far - near) * (NEAREST_M - near[2]) / (far[2] - near[2])
    yield fixed(project(np.stack([near, far]), camera.intrinsics)).tolist()


def _nearness(room: Room, camera: Camera) -> np.ndarray:
    """How much of the floor is seen in each pixel, (h, w): 1 among the people, 0 from FADE_M beside them on, and above it."""
    x, y = np.meshgrid(np.arange(camera.size[0]), np.arange(camera.size[1]))
    ahead = np.concatenate([rays(np.stack([x, y], -1), camera.intrinsics), np.ones((*x.shape, 1))], -1)
    right, up, away = np.moveaxis(ahead @ (room.axes @ camera.rotation.T).T, -1, 0)
    stands = room.axes @ camera.place
    reach = (room.low[1] - stands[1]) / np.minimum(up, -1e-6)
    beside = [
        np.maximum(low - at, at - high).clip(0)
        for at, low, high in (
            (stands[0] + reach * right, room.low[0], room.high[0]),
            (stands[2] + reach * away, room.low[2], room.high[2]),
        )
    ]
    share = (1 - np.hypot(*beside) / FADE_M).clip(0, 1)
    return np.where(up < 0, share * share * (3 - 2 * share), 0)


def cast(image: np.ndarray, mask: np.ndarray) -> None:
    """Darken image where mask (h / COARSE, w / COARSE) uint8 is 255, softly."""
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, mask.shape[0] / 90))
    light = cv2.resize(soft, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    image[:] = (image * (1 - light * (SHADOW / 255))[..., None]).astype(np.uint8)


def mask_for(camera: Camera) -> np.ndarray:
    """An empty mask for `cast`."""
    return np.zeros((-(-camera.size[1] // COARSE), -(-camera.size[0] // COARSE)), np.uint8)


def mask_of(skins: Sequence[np.ndarray], room: Room, camera: Camera) -> np.ndarray:
    """The mask of the shadows of skins, (V, 3) m each, film camera's axes."""
    mask = mask_for(camera)
    for vertices in skins:
        x, y = np.round(under(vertices, room, camera)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
        mask[y[inside], x[inside]] = 255
    return cv2.dilate(mask, np.ones((3, 3), np.uint8))


def under(points: np.ndarray, room: Room, camera: Camera) -> np.ndarray:
    """Where the shadows of points (N, 3), m, film camera's axes, are in a mask, px (N, 2); far outside if behind the camera."""
    seen = camera.seen(room.on_floor(points))
    there = np.isfinite(seen).all(1) & (seen[:, 2] > NEAREST_M)
    return np.where(there[:, None], project(np.where(there[:, None], seen, 1.0), camera.intrinsics) / COARSE, OUTSIDE_PX)
