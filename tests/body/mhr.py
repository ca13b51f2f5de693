"""MHR's 70 joints of a posed SMPL body, for tests: landmarks where the two agree, and the two sides of each elbow."""

from __future__ import annotations

import numpy as np

from remi_stream.body.attachments import landmarks
from remi_stream.body.mhr import FOSSA, OLECRANON, SEEN, SOURCE
from remi_stream.body.smpl import forward_kinematics, load_open_body
from remi_stream.geometry import rotation_matrices
from remi_stream.skeletons import JOINTS

BODY = load_open_body()
REST = BODY.rest_joints(np.zeros(10))
HALF_ELBOW_M = 0.035


def pose(**degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotations (24, 3, 3) from rotation vectors in degrees by joint name."""
    turns = np.zeros((24, 3))
    for name, vector in degrees.items():
        turns[JOINTS["smpl24"].index(name)] = np.radians(vector)
    return rotation_matrices(turns)


def mhr_joints(rotations: np.ndarray, transl: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """(70, 3), m; fingers without a landmark are at their wrist, which nothing reads. scale: of the person, about transl."""
    world, joints = forward_kinematics(REST, rotations, np.zeros(3))
    points = landmarks(world, joints)
    found = np.tile(points[15], (70, 1))
    found[SOURCE] = points[SEEN]
    front = world[[16, 17]] @ np.array([0, 0, HALF_ELBOW_M])
    found[OLECRANON], found[FOSSA] = joints[[18, 19]] - front, joints[[18, 19]] + front
    return found * scale + transl
