"""Where the floor is, seen from a camera that nobody has measured."""

from __future__ import annotations

from collections import deque

import numpy as np

SAMPLE_S = 0.1
SAMPLES = 300
FIT_S = 0.5
SETTLE_S = 0.7
"""How fast what is drawn follows a better estimate."""

NOISE_M = 0.03
ROLL, PITCH = 0.05, 0.15
"""How far a camera is usually from upright, as slopes (one standard deviation): seldom rolled, often tipped."""
INDEPENDENT = 30
"""All samples together tell no more than so many: neighbours are wrong in the same way."""
UNSETTLED = np.array([1.2, 0.0, 0.0])


class Floor:
    """The plane through the places where people touch the ground, y = height + roll (x - x') + pitch (z - z') in camera axes.

    People's lowest points are fitted robustly, so a jump or a bad pose does not matter; the camera is held to be upright
    where they have not walked far enough to tell.
    """

    def __init__(self) -> None:
        self._contacts: deque[np.ndarray] = deque(maxlen=SAMPLES)
        self._sampled_at = self._fitted_at = self._settled_at = float("-inf")
        self._target = self._drawn = UNSETTLED
        """Height below the camera, m, and the slopes along x and z."""

    def touch(self, point: np.ndarray, at: float) -> None:
        """Somebody's lowest point (3,), m, camera frame, at a time in seconds."""
        if not 0 <= at - self._sampled_at < SAMPLE_S and np.isfinite(point).all():
            self._sampled_at = at
            self._contacts.append(np.asarray(point, float))

    def settle(self, at: float) -> None:
        """Move what is drawn towards the estimate; the first one is taken as it is."""
        if not self._contacts:
            return
        if at - self._fitted_at >= FIT_S or at < self._fitted_at:
            first, self._fitted_at = self._fitted_at == float("-inf"), at
            self._target = fit_plane(np.array(self._contacts))
            self._drawn = self._target if first else self._drawn
        share = min(1.0, max(0.0, at - self._settled_at) / SETTLE_S)
        self._drawn, self._settled_at = self._drawn + share * (self._target - self._drawn), at

    @property
    def up(self) -> np.ndarray:
        """The direction away from the floor, (3,) of length 1, camera axes."""
        normal = np.array([self._drawn[1], -1.0, self._drawn[2]])
        return normal / np.linalg.norm(normal)

    def height(self, point: np.ndarray) -> float:
        """How far above the floor a point (3,), m, camera frame, is."""
        level, roll, pitch = self._drawn
        return float((level + roll * point[0] + pitch * point[2] - point[1]) * -self.up[1])

    def world_from_camera(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (3, 3) and translation (3,), m, into a world with y up and the floor at 0; the camera looks along -z."""
        up = self.up
        back = -np.array([0.0, 0.0, 1.0]) + up[2] * up
        back /= np.linalg.norm(back)
        rotation = np.stack([np.cross(up, back), up, back])
        return rotation, np.array([0.0, self.height(np.zeros(3)), 0.0])


def fit_plane(contacts: np.ndarray) -> np.ndarray:
    """Height, roll and pitch of the plane through contacts (N, 3), m, camera frame: least squares, reweighted (Geman-McClure)."""
    middle = np.median(contacts, axis=0)
    terms = np.stack([np.ones(len(contacts)), contacts[:, 0] - middle[0], contacts[:, 2] - middle[2]], axis=1)
    held = np.diag([0.0, ROLL**-2, PITCH**-2])
    trust = min(1.0, INDEPENDENT / len(contacts)) / NOISE_M**2
    plane = np.array([middle[1], 0.0, 0.0])
    for _ in range(10):
        misses = contacts[:, 1] - terms @ plane
        width = 2.2 * max(float(np.median(np.abs(misses))), 0.007)
        weights = trust / (1 + (misses / width) ** 2) ** 2
        plane = np.linalg.solve(terms.T * weights @ terms + held, terms.T * weights @ contacts[:, 1])
    return plane - (plane[1] * middle[0] + plane[2] * middle[2], 0, 0)
