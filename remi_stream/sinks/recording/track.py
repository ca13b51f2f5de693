"""Convert a person's rows to the arrays of an .npz file."""

from __future__ import annotations

import numpy as np

from remi_stream.body.smpl import load_default_body
from remi_stream.formats import amass
from remi_stream.sinks.recording.rows import BODY_CODES
from remi_stream.skeletons import JOINT_NAMES

AXES_NOTE = "camera: x right, y down, z forward; poses and trans: x right, y forward, z up"
"""Documentation of the axes, stored in each file."""


def track_arrays(rows: np.ndarray, track_id: int, skeleton: str, joints_skeleton: str = "") -> dict[str, np.ndarray]:
    """Arrays of N rows: the fields of Person and Smpl as published, and AMASS' keys if there is any SMPL pose."""
    joints_skeleton = joints_skeleton or skeleton
    arrays = {
        "track_id": np.array(track_id),
        "axes": np.array(AXES_NOTE),
        "skeleton": np.array(skeleton),
        "joints_skeleton": np.array(joints_skeleton),
        "body": np.array(body_name(rows)),
        "epochs": rows["epoch"],
        "frame_ids": rows["frame_id"],
        "captured_at": rows["captured_at"],
        "scores": rows["score"],
        "boxes_xyxy": rows["box_xyxy"],
        "keypoints_px": rows["keypoints_px"],
        "keypoint_scores": rows["keypoint_scores"],
        "joints_m": rows["joints_m"],
    }
    return {**arrays, **_smpl(rows, joints_skeleton)} if rows["body"].any() else arrays


def body_name(rows: np.ndarray) -> str:
    """Body whose rest pose the poses are for (see Smpl.body); "" if there are none."""
    return BODY_CODES[rows["body"].max(initial=0)]


def _smpl(rows: np.ndarray, skeleton: str) -> dict[str, np.ndarray]:
    published = {name: rows[name] for name in ("global_orient", "transl", "joint_confidence")}
    pose = {name: rows[name] for name in ("global_orient", "body_pose", "transl", "betas")}
    motion = amass.amass_arrays(**pose, rest_pelvis=_rest_pelvis(rows, skeleton), fps=_mean_fps(rows["captured_at"]))
    return {**motion, **published, "frame_betas": rows["betas"]}


def _rest_pelvis(rows: np.ndarray, skeleton: str) -> np.ndarray:
    """Rest pelvis of each row, (N, 3) m: from the published pelvis, else of the default body."""
    names = JOINT_NAMES.get(skeleton, ())
    if "pelvis" in names:
        return rows["joints_m"][:, names.index("pelvis")] - rows["transl"]
    shapes, inverse = np.unique(rows["betas"], axis=0, return_inverse=True)
    return np.array([load_default_body().rest_joints(betas)[0] for betas in shapes])[inverse]


def _mean_fps(captured_at: np.ndarray) -> float:
    """Mean rows per second: played at this rate, the track keeps its duration."""
    duration_s = float(captured_at[-1] - captured_at[0])
    return (len(captured_at) - 1) / duration_s if duration_s > 0 else 0.0
