"""Where BlazePose's landmarks sit on the open body.

Each landmark is fixed to one joint, at an offset in the rest pose (m; x to the body's left, y up, z forward). Limb offsets
are the mean difference between what BlazePose calls a shoulder, hip, ... and the body's joints, over many poses, shapes and
views of rendered bodies, made symmetric; those of face, hands and feet are the mean shape that BlazePose itself gives them.
"""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import JOINTS

LEFT_SIDE: dict[str, tuple[str, tuple[float, float, float]]] = {
    "left_eye_inner": ("head", (0.015, 0.050, 0.135)),
    "left_eye": ("head", (0.020, 0.051, 0.135)),
    "left_eye_outer": ("head", (0.025, 0.052, 0.132)),
    "left_ear": ("head", (0.076, 0.019, 0.030)),
    "mouth_left": ("head", (0.022, -0.018, 0.120)),
    "left_shoulder": ("left_shoulder", (-0.009, 0.012, 0.0)),
    "left_elbow": ("left_elbow", (-0.018, -0.005, 0.0)),
    "left_wrist": ("left_wrist", (-0.012, -0.005, 0.0)),
    "left_pinky": ("left_wrist", (0.062, -0.006, -0.010)),
    "left_index": ("left_wrist", (0.068, -0.010, 0.027)),
    "left_thumb": ("left_wrist", (0.016, -0.007, 0.010)),
    "left_hip": ("left_hip", (-0.011, -0.001, 0.0)),
    "left_knee": ("left_knee", (-0.006, 0.0, 0.0)),
    "left_ankle": ("left_ankle", (0.0, 0.015, 0.0)),
    "left_heel": ("left_ankle", (0.0, -0.047, 0.005)),
    "left_foot_index": ("left_ankle", (0.011, -0.085, 0.120)),
}
NOSE = ("head", (0.0, 0.017, 0.155))


def mirrored(name: str) -> tuple[str, tuple[float, float, float]]:
    """The attachment of a landmark on the right, from its twin on the left."""
    joint, (x, y, z) = LEFT_SIDE[name.replace("right", "left")]
    return joint.replace("left", "right"), (-x, y, z)


def attachment(name: str) -> tuple[str, tuple[float, float, float]]:
    """The joint a landmark is fixed to, and its offset at rest, m."""
    return NOSE if name == "nose" else LEFT_SIDE.get(name) or mirrored(name)


TABLE = [attachment(name) for name in JOINTS["blazepose33"]]
JOINT = np.array([JOINTS["smpl24"].index(joint) for joint, _ in TABLE])
"""(33,) int, the joint of each landmark."""
OFFSET = np.array([offset for _, offset in TABLE])
"""(33, 3) float64, m, rest pose, from that joint."""


def landmarks(world_rotations: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Where the landmarks (33, 3) of a posed body are; rotations (24, 3, 3) and joints (24, 3) in the frame wanted."""
    return joints[JOINT] + np.einsum("lab,lb->la", world_rotations[JOINT], OFFSET)
