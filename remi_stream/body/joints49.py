"""The 49 joints of SPIN, used in PARE's and POCO's files: 25 in OpenPose's order, then 24 of LSP, MPII, Human3.6M and COCO.

Kolotouros et al., "Learning to reconstruct 3D human pose and shape via model-fitting in the loop" (2019). They are SMPL's own
joints, single vertices of its skin, and weighted means of vertices (`J_regressor_extra.npy`).
"""

from __future__ import annotations

import numpy as np

from remi_stream.skeletons import JOINT_NAMES

VERTEX_JOINTS = {
    "nose": 332,
    "right_eye": 6260,
    "left_eye": 2800,
    "right_ear": 4071,
    "left_ear": 583,
    "left_big_toe": 3216,
    "left_small_toe": 3226,
    "left_heel": 3387,
    "right_big_toe": 6617,
    "right_small_toe": 6624,
    "right_heel": 6787,
}
"""Vertices of SMPL's skin (6890) that serve as joints."""
EXTRA_JOINTS = (
    "right_hip_lsp",
    "left_hip_lsp",
    "neck_lsp",
    "head_top_lsp",
    "pelvis_mpii",
    "thorax_mpii",
    "spine_h36m",
    "jaw_h36m",
    "head_h36m",
)
"""The rows of J_regressor_extra.npy."""
_OPENPOSE25 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist pelvis right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe left_heel "
    "right_big_toe right_small_toe right_heel"
)
_FURTHER24 = (
    "right_ankle right_knee right_hip_lsp left_hip_lsp left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist neck_lsp head_top_lsp pelvis_mpii thorax_mpii spine_h36m jaw_h36m head_h36m nose "
    "left_eye right_eye left_ear right_ear"
)
JOINTS49 = tuple(f"{_OPENPOSE25} {_FURTHER24}".split())
_KNOWN = (*JOINT_NAMES["smpl24"], *VERTEX_JOINTS, *EXTRA_JOINTS)
JOINTS49_SOURCES = [_KNOWN.index(name) for name in JOINTS49]


def spin_joints49(joints: np.ndarray, vertices: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Return the 49 joints, (49, 3) m, of a posed SMPL body: joints (24, 3), vertices (6890, 3); extra: (9, 6890)."""
    known = np.concatenate([joints, vertices[list(VERTEX_JOINTS.values())], extra @ vertices])
    found: np.ndarray = known[JOINTS49_SOURCES]
    return found
