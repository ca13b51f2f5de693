"""MHR's 70 joints of a posed SMPL body, for tests: landmarks where the two agree, and the two sides of each elbow."""

from __future__ import annotations

import numpy as np

from remi_stream.body.ik.joints import FOSSA, MHR_LANDMARKS, MHR_SOURCES, OLECRANON
from remi_stream.body.ik.solver import body_landmarks
from remi_stream.body.smpl import forward_kinematics, load_default_body
from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.skeletons import JOINT_NAMES

BODY = load_default_body()
REST = BODY.rest_joints(np.zeros(10))
HALF_ELBOW_M = 0.035


def pose(**degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotations (24, 3, 3) from rotation vectors in degrees by joint name."""
    turns = np.zeros((24, 3))
    for name, vector in degrees.items():
        turns[JOINT_NAMES["smpl24"].index(name)] = np.radians(vector)
    return matrices_from_axis_angle(turns)


def mhr_joints(rotations: np.ndarray, transl: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """(70, 3), m; fingers without a landmark are at their wrist, which nothing reads. scale: of the person, about transl."""
    world, joints = forward_kinematics(REST, rotations, np.zeros(3))
    points = body_landmarks(world, joints)
    found = np.tile(points[15], (70, 1))
    found[MHR_SOURCES] = points[MHR_LANDMARKS]
    front = world[[16, 17]] @ np.array([0, 0, HALF_ELBOW_M])
    found[OLECRANON], found[FOSSA] = joints[[18, 19]] - front, joints[[18, 19]] + front
    return found * scale + transl
