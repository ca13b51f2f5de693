"""Positions of BlazePose's landmarks on the default body, as joints with offsets.

Each landmark is attached to one joint at an offset in the rest pose (m; x to the body's left, y up, z forward). The offsets were
measured: BlazePose's landmarks on rendered bodies, averaged over many poses, shapes and views, made symmetric. They are not zero
since BlazePose's shoulder, hip or ankle is another point than SMPL's.
"""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import JOINT_NAMES

LEFT_ATTACHMENTS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "left_eye_inner": ("head", (0.015, 0.048, 0.090)),
    "left_eye": ("head", (0.024, 0.048, 0.085)),
    "left_eye_outer": ("head", (0.034, 0.048, 0.078)),
    "left_ear": ("head", (0.050, 0.032, 0.034)),
    "mouth_left": ("head", (0.018, -0.019, 0.099)),
    "left_shoulder": ("left_shoulder", (-0.012, 0.014, 0.003)),
    "left_elbow": ("left_elbow", (-0.015, -0.002, 0.0)),
    "left_wrist": ("left_wrist", (0.008, -0.002, 0.003)),
    "left_pinky": ("left_wrist", (0.085, -0.008, -0.006)),
    "left_index": ("left_wrist", (0.089, -0.013, 0.009)),
    "left_thumb": ("left_wrist", (0.064, -0.015, 0.014)),
    "left_hip": ("left_hip", (-0.014, 0.002, 0.004)),
    "left_knee": ("left_knee", (-0.004, -0.006, -0.006)),
    "left_ankle": ("left_ankle", (0.001, 0.025, 0.007)),
    "left_heel": ("left_ankle", (-0.005, -0.043, -0.030)),
    "left_foot_index": ("left_ankle", (-0.005, -0.056, 0.177)),
}
"""Joint and offset, m, of the landmarks of the left side."""
NOSE_ATTACHMENT = ("head", (0.0, 0.016, 0.110))


def mirror_attachment(name: str) -> tuple[str, tuple[float, float, float]]:
    """Mirror the attachment of a left landmark to its right one."""
    joint, (x, y, z) = LEFT_ATTACHMENTS[name.replace("right", "left")]
    return joint.replace("left", "right"), (-x, y, z)


def find_attachment(name: str) -> tuple[str, tuple[float, float, float]]:
    """Return the joint a landmark is attached to, and its offset in the rest pose, m."""
    return NOSE_ATTACHMENT if name == "nose" else LEFT_ATTACHMENTS.get(name) or mirror_attachment(name)


ATTACHMENTS = [find_attachment(name) for name in JOINT_NAMES["blazepose33"]]
LANDMARK_JOINTS = np.array([JOINT_NAMES["smpl24"].index(joint) for joint, _ in ATTACHMENTS])
"""(33,) int, the joint of each landmark."""
LANDMARK_OFFSETS = np.array([offset for _, offset in ATTACHMENTS])
"""(33, 3) float64, m, rest pose, from that joint."""


def body_landmarks(world_rotations: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Return the landmarks (33, 3), m, of a posed body; world rotations (24, 3, 3) and joints (24, 3) give the frame."""
    return joints[LANDMARK_JOINTS] + np.einsum("lab,lb->la", world_rotations[LANDMARK_JOINTS], LANDMARK_OFFSETS)
