"""Floor estimation for cameras without extrinsic calibration, and the correction that puts people on the floor.

A plane is fitted to people's lowest points. On the sample clip it is within 1 cm of the true floor after two seconds
(docs/use/viewer.md).
"""

from __future__ import annotations

from collections import deque

import numpy as np

SAMPLE_INTERVAL_S = 0.1
"""Minimum time between two contacts, s."""
MAX_CONTACTS = 300
"""Contacts that are kept; with SAMPLE_INTERVAL_S at least the last 30 s."""
FIT_INTERVAL_S = 0.5
"""Time between two fits, s."""
SMOOTHING_S = 0.7
"""Time in which the drawn floor moves to a new estimate, s."""

CONTACT_NOISE_M = 0.03
"""Standard deviation of a contact's height, m."""
ROLL_SIGMA, PITCH_SIGMA = 0.05, 0.15
"""Prior standard deviations of the camera's roll and pitch, as slopes: cameras are seldom rolled, often tilted."""
MAX_INDEPENDENT_SAMPLES = 30
"""Contacts weigh at most as much as this many: the errors of neighbouring samples are correlated."""
INITIAL_PLANE = np.array([1.2, 0.0, 0.0])
"""The plane before the first contact: a level floor 1.2 m below the camera."""


class FloorEstimator:
    """The plane y = height + roll (x - x') + pitch (z - z') in camera axes through people's ground contacts.

    The fit is robust against jumps and bad poses; a prior keeps the camera upright while people have not walked far enough.
    """

    def __init__(self) -> None:
        self._contacts: deque[np.ndarray] = deque(maxlen=MAX_CONTACTS)
        self._sampled_at = self._fitted_at = self._smoothed_at = float("-inf")
        self._target = self._smoothed = INITIAL_PLANE
        """Height below the camera, m, and the slopes along x and z."""

    def add_contact(self, point: np.ndarray, at: float) -> None:
        """Add a person's lowest point (3,), m, camera frame. at: its time, s."""
        # A negative age: the recording was rewound.
        if not 0 <= at - self._sampled_at < SAMPLE_INTERVAL_S and np.isfinite(point).all():
            self._sampled_at = at
            self._contacts.append(np.asarray(point, float))

    def update(self, at: float) -> None:
        """Refit if due, and move the smoothed plane towards the fit; the first fit is taken unsmoothed. at: s."""
        if not self._contacts:
            return
        if at - self._fitted_at >= FIT_INTERVAL_S or at < self._fitted_at:  # earlier: a recording was rewound
            first, self._fitted_at = self._fitted_at == float("-inf"), at
            self._target = fit_floor_plane(np.array(self._contacts))
            self._smoothed = self._target if first else self._smoothed
        share = min(1.0, max(0.0, at - self._smoothed_at) / SMOOTHING_S)
        self._smoothed, self._smoothed_at = self._smoothed + share * (self._target - self._smoothed), at

    @property
    def up(self) -> np.ndarray:
        """The floor's normal, (3,) of length 1, camera axes."""
        normal = np.array([self._smoothed[1], -1.0, self._smoothed[2]])
        return normal / np.linalg.norm(normal)

    def height(self, point: np.ndarray) -> float:
        """Height of a point (3,), m, camera frame, above the floor."""
        level, roll, pitch = self._smoothed
        return float((level + roll * point[0] + pitch * point[2] - point[1]) * -self.up[1])

    def world_from_camera(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (3, 3) and translation (3,), m, into a world with y up and the floor at 0; the camera looks along -z."""
        up = self.up
        # the viewing direction projected onto the floor; pointing back, since a camera looks along -z there
        back = -np.array([0.0, 0.0, 1.0]) + up[2] * up
        back /= np.linalg.norm(back)
        rotation = np.stack([np.cross(up, back), up, back])
        return rotation, np.array([0.0, self.height(np.zeros(3)), 0.0])


def fit_floor_plane(contacts: np.ndarray) -> np.ndarray:
    """Fit height, roll and pitch (3,) of the plane through contacts (N, 3), m, camera frame.

    Iteratively reweighted least squares with the Geman-McClure kernel and a Gaussian prior on roll and pitch.
    """
    # about the middle of the contacts, so that height and slopes are nearly independent
    middle = np.median(contacts, axis=0)
    terms = np.stack([np.ones(len(contacts)), contacts[:, 0] - middle[0], contacts[:, 2] - middle[2]], axis=1)
    prior = np.diag([0.0, ROLL_SIGMA**-2, PITCH_SIGMA**-2])
    base = min(1.0, MAX_INDEPENDENT_SAMPLES / len(contacts)) / CONTACT_NOISE_M**2
    plane = np.array([middle[1], 0.0, 0.0])
    for _ in range(10):  # starts from a level floor at the median height
        residuals = contacts[:, 1] - terms @ plane
        # The kernel's width follows the median residual; bounded below, as contacts that fit exactly would make it 0.
        width = 2.2 * max(float(np.median(np.abs(residuals))), 0.007)
        weights = base / (1 + (residuals / width) ** 2) ** 2
        plane = np.linalg.solve(terms.T * weights @ terms + prior, terms.T * weights @ contacts[:, 1])
    return plane - (plane[1] * middle[0] + plane[2] * middle[2], 0, 0)


RAISE_TIME_S = 0.03
"""Time constant for a person below the floor, s: short, as floors are solid."""
LOWER_TIME_S = 0.12
"""Time constant for a person above the floor, s: longer, as they may be jumping."""


class FloorContact:
    """The vertical correction of one person: depth from one camera is ambiguous, so feet would sink and float.

    Exponential smoothing with different time constants upwards and downwards.
    """

    def __init__(self) -> None:
        self.lift_m = 0.0
        """Correction along the floor's normal, m."""
        self._at = float("-inf")

    def update(self, height_m: float, at: float) -> None:
        """Update with the uncorrected height of the lowest point above the floor. at: s."""
        error = -height_m - self.lift_m
        # The first update applies in full.
        elapsed = max(0.0, at - self._at)
        share = elapsed / (elapsed + (RAISE_TIME_S if error > 0 else LOWER_TIME_S)) if elapsed < float("inf") else 1.0
        self.lift_m, self._at = self.lift_m + share * error, at
